using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>A completion queue; the library's part behind these fields is not declared.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ibv_cq
{
    public ibv_context* context;
    public ibv_comp_channel* channel;
    public void* cq_context;
    public uint handle;
    public int cqe;
}
