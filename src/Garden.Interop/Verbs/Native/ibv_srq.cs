using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>A shared receive queue; the library's part behind these fields is not declared.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ibv_srq
{
    public ibv_context* context;
    public void* srq_context;
    public ibv_pd* pd;
    public uint handle;
}
