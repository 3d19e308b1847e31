using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>A posted send or write. Members of the header's unions carry the path to them, with underscores for points.</summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
internal unsafe struct ibv_send_wr
{
    [FieldOffset(0)]
    public ulong wr_id;

    [FieldOffset(8)]
    public ibv_send_wr* next;

    [FieldOffset(16)]
    public ibv_sge* sg_list;

    [FieldOffset(24)]
    public int num_sge;

    [FieldOffset(28)]
    public int opcode;

    [FieldOffset(32)]
    public uint send_flags;

    [FieldOffset(36)]
    public uint imm_data;

    [FieldOffset(40)]
    public ulong wr_rdma_remote_addr;

    [FieldOffset(48)]
    public uint wr_rdma_rkey;

    [FieldOffset(40)]
    public ibv_ah* wr_ud_ah;

    [FieldOffset(48)]
    public uint wr_ud_remote_qpn;

    [FieldOffset(52)]
    public uint wr_ud_remote_qkey;
}
