using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>What every libfabric object begins with.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fid
{
    public nuint fclass;
    public void* context;
    public fi_ops* ops;
}
