using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>A posted receive.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ibv_recv_wr
{
    public ulong wr_id;
    public ibv_recv_wr* next;
    public ibv_sge* sg_list;
    public int num_sge;
}
