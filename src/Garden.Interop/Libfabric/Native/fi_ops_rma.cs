using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>Remote memory access of an endpoint.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_ops_rma
{
    public nuint size;
    public void* read;
    public void* readv;
    public void* readmsg;
    public void* write;
    public void* writev;
    public delegate* unmanaged<fid_ep*, fi_msg_rma*, ulong, nint> writemsg;
    public void* inject;
    public void* writedata;
    public delegate* unmanaged<fid_ep*, void*, nuint, ulong, ulong, ulong, ulong, nint> injectdata;
}
