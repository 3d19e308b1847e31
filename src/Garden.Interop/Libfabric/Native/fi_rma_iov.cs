using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>A range of remote memory.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_rma_iov
{
    public ulong addr;
    public nuint len;
    public ulong key;
}
