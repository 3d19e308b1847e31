using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>A range of local memory.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct iovec
{
    public void* iov_base;
    public nuint iov_len;
}
