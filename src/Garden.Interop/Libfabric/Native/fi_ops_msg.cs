using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>Messages of an endpoint.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_ops_msg
{
    public nuint size;
    public delegate* unmanaged<fid_ep*, void*, nuint, void*, ulong, void*, nint> recv;
    public void* recvv;
    public void* recvmsg;
    public delegate* unmanaged<fid_ep*, void*, nuint, void*, ulong, void*, nint> send;
    public void* sendv;
    public delegate* unmanaged<fid_ep*, fi_msg*, ulong, nint> sendmsg;
    public delegate* unmanaged<fid_ep*, void*, nuint, ulong, nint> inject;
}
