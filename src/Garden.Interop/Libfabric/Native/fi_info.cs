using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>What a provider offers, and what is asked of it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_info
{
    public fi_info* next;
    public ulong caps;
    public ulong mode;
    public uint addr_format;
    public nuint src_addrlen;
    public nuint dest_addrlen;
    public void* src_addr;
    public void* dest_addr;
    public fid* handle;
    public fi_tx_attr* tx_attr;
    public fi_rx_attr* rx_attr;
    public fi_ep_attr* ep_attr;
    public fi_domain_attr* domain_attr;
    public fi_fabric_attr* fabric_attr;
    public fid_nic* nic;
}
