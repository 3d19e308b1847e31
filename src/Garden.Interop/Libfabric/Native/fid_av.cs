using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>An address vector.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fid_av
{
    public fid fid;
    public fi_ops_av* ops;
}
