using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>An open device; the library's part behind these fields is not declared.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ibv_context
{
    public void* device;
    public ibv_context_ops ops;
    public int cmd_fd;
    public int async_fd;
    public int num_comp_vectors;
}
