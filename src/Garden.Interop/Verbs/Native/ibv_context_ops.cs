using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>A context's operations. The headers have inline functions over the five that are typed here; the library exports none of those.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ibv_context_ops
{
    public void* _compat_query_device;
    public void* _compat_query_port;
    public void* _compat_alloc_pd;
    public void* _compat_dealloc_pd;
    public void* _compat_reg_mr;
    public void* _compat_rereg_mr;
    public void* _compat_dereg_mr;
    public void* alloc_mw;
    public void* bind_mw;
    public void* dealloc_mw;
    public void* _compat_create_cq;
    public delegate* unmanaged<ibv_cq*, int, ibv_wc*, int> poll_cq;
    public delegate* unmanaged<ibv_cq*, int, int> req_notify_cq;
    public void* _compat_cq_event;
    public void* _compat_resize_cq;
    public void* _compat_destroy_cq;
    public void* _compat_create_srq;
    public void* _compat_modify_srq;
    public void* _compat_query_srq;
    public void* _compat_destroy_srq;
    public delegate* unmanaged<ibv_srq*, ibv_recv_wr*, ibv_recv_wr**, int> post_srq_recv;
    public void* _compat_create_qp;
    public void* _compat_query_qp;
    public void* _compat_modify_qp;
    public void* _compat_destroy_qp;
    public delegate* unmanaged<ibv_qp*, ibv_send_wr*, ibv_send_wr**, int> post_send;
    public delegate* unmanaged<ibv_qp*, ibv_recv_wr*, ibv_recv_wr**, int> post_recv;
    public void* _compat_create_ah;
    public void* _compat_destroy_ah;
    public void* _compat_attach_mcast;
    public void* _compat_detach_mcast;
    public void* _compat_async_event;
}
