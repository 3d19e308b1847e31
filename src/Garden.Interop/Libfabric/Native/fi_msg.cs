using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>A message to send.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_msg
{
    public iovec* msg_iov;
    public void** desc;
    public nuint iov_count;
    public ulong addr;
    public void* context;
    public ulong data;
}
