using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>A queue pair; the library's part behind these fields is not declared.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ibv_qp
{
    public ibv_context* context;
    public void* qp_context;
    public ibv_pd* pd;
    public ibv_cq* send_cq;
    public ibv_cq* recv_cq;
    public ibv_srq* srq;
    public uint handle;
    public uint qp_num;
    public int state;
    public int qp_type;
}
