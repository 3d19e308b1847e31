using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>An endpoint.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fid_ep
{
    public fid fid;
    public fi_ops_ep* ops;
    public fi_ops_cm* cm;
    public fi_ops_msg* msg;
    public fi_ops_rma* rma;
    public void* tagged;
    public void* atomic;
    public void* collective;
}
