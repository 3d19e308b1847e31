using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>What to register.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_mr_attr
{
    public iovec* mr_iov;
    public nuint iov_count;
    public ulong access;
    public ulong offset;
    public ulong requested_key;
    public void* context;
    public nuint auth_key_size;
    public byte* auth_key;
    public int iface;
    public ulong device;
}
