using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>What is known of a hardware NIC.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fid_nic
{
    public fid fid;
    public fi_device_attr* device_attr;
    public void* bus_attr;
    public fi_link_attr* link_attr;
    public void* prov_attr;
}
