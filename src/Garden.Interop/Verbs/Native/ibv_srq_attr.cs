using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>The sizes of a shared receive queue.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ibv_srq_attr
{
    public uint max_wr;
    public uint max_sge;
    public uint srq_limit;
}
