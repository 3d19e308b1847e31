using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>Operations of every object.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_ops
{
    public nuint size;
    public delegate* unmanaged<fid*, int> close;
    public delegate* unmanaged<fid*, fid*, ulong, int> bind;
    public delegate* unmanaged<fid*, int, void*, int> control;
    public void* ops_open;
    public void* tostr;
    public void* ops_set;
}
