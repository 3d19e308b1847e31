using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>A remote write to post.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_msg_rma
{
    public iovec* msg_iov;
    public void** desc;
    public nuint iov_count;
    public ulong addr;
    public fi_rma_iov* rma_iov;
    public nuint rma_iov_count;
    public void* context;
    public ulong data;
}
