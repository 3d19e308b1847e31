using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>A completion. After a status other than success only wr_id, status, qp_num and vendor_err mean something.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ibv_wc
{
    public ulong wr_id;
    public int status;
    public int opcode;
    public uint vendor_err;
    public uint byte_len;
    public uint imm_data;
    public uint qp_num;
    public uint src_qp;
    public uint wc_flags;
    public ushort pkey_index;
    public ushort slid;
    public byte sl;
    public byte dlid_path_bits;
}
