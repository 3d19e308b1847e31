using System.Runtime.CompilerServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>What the headers have as inline functions: calls through the operation table of the object's context.</summary>
internal static unsafe class Calls
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int ibv_poll_cq(ibv_cq* cq, int count, ibv_wc* entries) => cq->context->ops.poll_cq(cq, count, entries);

    public static int ibv_req_notify_cq(ibv_cq* cq, int solicited_only) => cq->context->ops.req_notify_cq(cq, solicited_only);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int ibv_post_send(ibv_qp* qp, ibv_send_wr* wr, ibv_send_wr** bad) => qp->context->ops.post_send(qp, wr, bad);

    public static int ibv_post_recv(ibv_qp* qp, ibv_recv_wr* wr, ibv_recv_wr** bad) => qp->context->ops.post_recv(qp, wr, bad);

    public static int ibv_post_srq_recv(ibv_srq* srq, ibv_recv_wr* wr, ibv_recv_wr** bad) => srq->context->ops.post_srq_recv(srq, wr, bad);
}
