using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>Operations of a fabric.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_ops_fabric
{
    public nuint size;
    public delegate* unmanaged<fid_fabric*, fi_info*, fid_domain**, void*, int> domain;
    public void* passive_ep;
    public void* eq_open;
    public void* wait_open;
    public delegate* unmanaged<fid_fabric*, fid**, int, int> trywait;
}
