using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>The sizes of a queue pair.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ibv_qp_cap
{
    public uint max_send_wr;
    public uint max_recv_wr;
    public uint max_send_sge;
    public uint max_recv_sge;
    public uint max_inline_data;
}
