using System.Runtime.CompilerServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>What the headers have as inline functions: calls through an object's operation table.</summary>
internal static unsafe class Calls
{
    public static int fi_close(fid* fid) => fid->ops->close(fid);

    public static int fi_control(fid* fid, int command, void* arg) => fid->ops->control(fid, command, arg);

    public static int fi_domain(fid_fabric* fabric, fi_info* info, fid_domain** domain) => fabric->ops->domain(fabric, info, domain, null);

    public static int fi_trywait(fid_fabric* fabric, fid** fids, int count) => fabric->ops->trywait(fabric, fids, count);

    public static int fi_av_open(fid_domain* domain, fi_av_attr* attr, fid_av** av) => domain->ops->av_open(domain, attr, av, null);

    public static int fi_cq_open(fid_domain* domain, fi_cq_attr* attr, fid_cq** cq) => domain->ops->cq_open(domain, attr, cq, null);

    public static int fi_endpoint(fid_domain* domain, fi_info* info, fid_ep** ep) => domain->ops->endpoint(domain, info, ep, null);

    public static int fi_mr_regattr(fid_domain* domain, fi_mr_attr* attr, ulong flags, fid_mr** mr) =>
        domain->mr->regattr(&domain->fid, attr, flags, mr);

    public static int fi_mr_bind(fid_mr* mr, fid* endpoint) => mr->fid.ops->bind(&mr->fid, endpoint, 0);

    public static int fi_mr_enable(fid_mr* mr) => fi_control(&mr->fid, FI.FI_ENABLE, null);

    public static int fi_ep_bind(fid_ep* ep, fid* other, ulong flags) => ep->fid.ops->bind(&ep->fid, other, flags);

    public static int fi_enable(fid_ep* ep) => fi_control(&ep->fid, FI.FI_ENABLE, null);

    public static int fi_setopt(fid_ep* ep, int level, int option, void* value, nuint length) =>
        ep->ops->setopt(&ep->fid, level, option, value, length);

    public static int fi_getname(fid_ep* ep, void* address, nuint* length) => ep->cm->getname(&ep->fid, address, length);

    public static int fi_av_insert(fid_av* av, void* address, ulong* fiAddress) => av->ops->insert(av, address, 1, fiAddress, 0, null);

    public static int fi_av_remove(fid_av* av, ulong fiAddress) => av->ops->remove(av, &fiAddress, 1, 0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint fi_cq_read(fid_cq* cq, fi_cq_data_entry* entries, nuint count) => cq->ops->read(cq, entries, count);

    public static byte* fi_cq_strerror(fid_cq* cq, int code, void* data, byte* buffer, nuint length) => cq->ops->strerror(cq, code, data, buffer, length);

    public static nint fi_cq_readerr(fid_cq* cq, fi_cq_err_entry* entry) => cq->ops->readerr(cq, entry, 0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint fi_writemsg(fid_ep* ep, fi_msg_rma* message, ulong flags) => ep->rma->writemsg(ep, message, flags);

    public static nint fi_sendmsg(fid_ep* ep, fi_msg* message, ulong flags) => ep->msg->sendmsg(ep, message, flags);

    public static nint fi_inject(fid_ep* ep, void* bytes, nuint length, ulong destination) => ep->msg->inject(ep, bytes, length, destination);

    public static nint fi_recv(fid_ep* ep, void* buffer, nuint length, void* descriptor, void* context) =>
        ep->msg->recv(ep, buffer, length, descriptor, ulong.MaxValue, context);
}
