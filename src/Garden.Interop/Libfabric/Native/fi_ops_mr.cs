using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>Memory registration of a domain.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_ops_mr
{
    public nuint size;
    public void* reg;
    public void* regv;
    public delegate* unmanaged<fid*, fi_mr_attr*, ulong, fid_mr**, int> regattr;
}
