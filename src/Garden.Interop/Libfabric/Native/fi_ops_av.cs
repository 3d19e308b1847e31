using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>Operations of an address vector.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_ops_av
{
    public nuint size;
    public delegate* unmanaged<fid_av*, void*, nuint, ulong*, ulong, void*, int> insert;
    public void* insertsvc;
    public void* insertsym;
    public delegate* unmanaged<fid_av*, ulong*, nuint, ulong, int> remove;
}
