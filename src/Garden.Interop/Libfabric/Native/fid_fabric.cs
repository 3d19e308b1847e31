using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>A fabric: providers of one kind of network.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fid_fabric
{
    public fid fid;
    public fi_ops_fabric* ops;
    public uint api_version;
}
