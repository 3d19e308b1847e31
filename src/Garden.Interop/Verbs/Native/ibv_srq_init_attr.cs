using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>What a shared receive queue is created with.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ibv_srq_init_attr
{
    public void* srq_context;
    public ibv_srq_attr attr;
}
