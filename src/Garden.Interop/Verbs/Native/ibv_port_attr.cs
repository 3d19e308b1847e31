using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>A port as it is now.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ibv_port_attr
{
    public int state;
    public int max_mtu;
    public int active_mtu;
    public int gid_tbl_len;
    public uint port_cap_flags;
    public uint max_msg_sz;
    public uint bad_pkey_cntr;
    public uint qkey_viol_cntr;
    public ushort pkey_tbl_len;
    public ushort lid;
    public ushort sm_lid;
    public byte lmc;
    public byte max_vl_num;
    public byte sm_sl;
    public byte subnet_timeout;
    public byte init_type_reply;
    public byte active_width;
    public byte active_speed;
    public byte phys_state;
    public byte link_layer;
    public byte flags;
    public ushort port_cap_flags2;
}
