using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>Options of an endpoint.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_ops_ep
{
    public nuint size;
    public delegate* unmanaged<fid*, void*, nint> cancel;
    public delegate* unmanaged<fid*, int, int, void*, nuint*, int> getopt;
    public delegate* unmanaged<fid*, int, int, void*, nuint, int> setopt;
}
