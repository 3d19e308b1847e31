using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>A memory registration with its keys.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ibv_mr
{
    public ibv_context* context;
    public ibv_pd* pd;
    public void* addr;
    public nuint length;
    public uint handle;
    public uint lkey;
    public uint rkey;
}
