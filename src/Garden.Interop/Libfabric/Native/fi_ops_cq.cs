using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>Operations of a completion queue.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_ops_cq
{
    public nuint size;
    public delegate* unmanaged<fid_cq*, void*, nuint, nint> read;
    public void* readfrom;
    public delegate* unmanaged<fid_cq*, fi_cq_err_entry*, ulong, nint> readerr;
    public void* sread;
    public void* sreadfrom;
    public void* signal;
    public delegate* unmanaged<fid_cq*, int, void*, byte*, nuint, byte*> strerror;
}
