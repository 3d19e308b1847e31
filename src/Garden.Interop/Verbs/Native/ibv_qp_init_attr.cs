using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>What a queue pair is created with.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ibv_qp_init_attr
{
    public void* qp_context;
    public ibv_cq* send_cq;
    public ibv_cq* recv_cq;
    public ibv_srq* srq;
    public ibv_qp_cap cap;
    public int qp_type;
    public int sq_sig_all;
}
