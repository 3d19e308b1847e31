using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>Operations of a domain.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_ops_domain
{
    public nuint size;
    public delegate* unmanaged<fid_domain*, fi_av_attr*, fid_av**, void*, int> av_open;
    public delegate* unmanaged<fid_domain*, fi_cq_attr*, fid_cq**, void*, int> cq_open;
    public delegate* unmanaged<fid_domain*, fi_info*, fid_ep**, void*, int> endpoint;
}
