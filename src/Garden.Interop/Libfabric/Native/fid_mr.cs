using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>A memory registration.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fid_mr
{
    public fid fid;
    public void* mem_desc;
    public ulong key;
}
