using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>A completion queue.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fid_cq
{
    public fid fid;
    public fi_ops_cq* ops;
}
