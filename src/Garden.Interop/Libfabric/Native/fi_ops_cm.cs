using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>Names of an endpoint.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_ops_cm
{
    public nuint size;
    public void* setname;
    public delegate* unmanaged<fid*, void*, nuint*, int> getname;
}
