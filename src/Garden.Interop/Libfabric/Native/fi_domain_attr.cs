using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>Attributes of a domain.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_domain_attr
{
    public fid_domain* domain;
    public byte* name;
    public int threading;
    public int control_progress;
    public int data_progress;
    public int resource_mgmt;
    public int av_type;
    public int mr_mode;
    public nuint mr_key_size;
    public nuint cq_data_size;
    public nuint cq_cnt;
    public nuint ep_cnt;
    public nuint tx_ctx_cnt;
    public nuint rx_ctx_cnt;
    public nuint max_ep_tx_ctx;
    public nuint max_ep_rx_ctx;
    public nuint max_ep_stx_ctx;
    public nuint max_ep_srx_ctx;
    public nuint cntr_cnt;
    public nuint mr_iov_limit;
    public ulong caps;
    public ulong mode;
    public byte* auth_key;
    public nuint auth_key_size;
    public nuint max_err_data;
    public nuint mr_cnt;
    public uint tclass;
}
