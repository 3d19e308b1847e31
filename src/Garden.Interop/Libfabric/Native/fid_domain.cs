using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>A domain: one NIC.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fid_domain
{
    public fid fid;
    public fi_ops_domain* ops;
    public fi_ops_mr* mr;
}
