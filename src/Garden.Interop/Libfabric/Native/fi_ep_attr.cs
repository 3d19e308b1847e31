using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>Attributes of an endpoint.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_ep_attr
{
    public int type;
    public uint protocol;
    public uint protocol_version;
    public nuint max_msg_size;
    public nuint msg_prefix_size;
    public nuint max_order_raw_size;
    public nuint max_order_war_size;
    public nuint max_order_waw_size;
    public ulong mem_tag_format;
    public nuint tx_ctx_cnt;
    public nuint rx_ctx_cnt;
    public nuint auth_key_size;
    public byte* auth_key;
}
