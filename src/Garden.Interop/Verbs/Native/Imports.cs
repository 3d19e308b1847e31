using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>The functions libibverbs exports. Those of the data path are calls through a context's operation table, see <see cref="Calls"/>.</summary>
internal static unsafe partial class Imports
{
    [LibraryImport(VerbsLibrary.Soname, SetLastError = true)]
    public static partial void** ibv_get_device_list(int* num_devices);

    [LibraryImport(VerbsLibrary.Soname)]
    public static partial void ibv_free_device_list(void** list);

    [LibraryImport(VerbsLibrary.Soname)]
    public static partial byte* ibv_get_device_name(void* device);

    [LibraryImport(VerbsLibrary.Soname, SetLastError = true)]
    public static partial ibv_context* ibv_open_device(void* device);

    [LibraryImport(VerbsLibrary.Soname)]
    public static partial int ibv_close_device(ibv_context* context);

    [LibraryImport(VerbsLibrary.Soname)]
    public static partial int ibv_query_device(ibv_context* context, ibv_device_attr* attr);

    [LibraryImport(VerbsLibrary.Soname)]
    public static partial int ibv_query_port(ibv_context* context, byte port, ibv_port_attr* attr);

    [LibraryImport(VerbsLibrary.Soname)]
    public static partial nint _ibv_query_gid_table(ibv_context* context, ibv_gid_entry* entries, nuint most, uint flags, nuint entry_size);

    [LibraryImport(VerbsLibrary.Soname)]
    public static partial int ibv_query_pkey(ibv_context* context, byte port, int index, ushort* pkey);

    [LibraryImport(VerbsLibrary.Soname, SetLastError = true)]
    public static partial ibv_pd* ibv_alloc_pd(ibv_context* context);

    [LibraryImport(VerbsLibrary.Soname)]
    public static partial int ibv_dealloc_pd(ibv_pd* pd);

    [LibraryImport(VerbsLibrary.Soname, SetLastError = true)]
    public static partial ibv_mr* ibv_reg_mr_iova2(ibv_pd* pd, void* addr, nuint length, ulong iova, uint access);

    [LibraryImport(VerbsLibrary.Soname, SetLastError = true)]
    public static partial ibv_mr* ibv_reg_dmabuf_mr(ibv_pd* pd, ulong offset, nuint length, ulong iova, int fd, int access);

    [LibraryImport(VerbsLibrary.Soname)]
    public static partial int ibv_dereg_mr(ibv_mr* mr);

    [LibraryImport(VerbsLibrary.Soname, SetLastError = true)]
    public static partial ibv_comp_channel* ibv_create_comp_channel(ibv_context* context);

    [LibraryImport(VerbsLibrary.Soname)]
    public static partial int ibv_destroy_comp_channel(ibv_comp_channel* channel);

    [LibraryImport(VerbsLibrary.Soname, SetLastError = true)]
    public static partial ibv_cq* ibv_create_cq(ibv_context* context, int cqe, void* cq_context, ibv_comp_channel* channel, int comp_vector);

    [LibraryImport(VerbsLibrary.Soname)]
    public static partial int ibv_destroy_cq(ibv_cq* cq);

    [LibraryImport(VerbsLibrary.Soname, SetLastError = true)]
    public static partial int ibv_get_cq_event(ibv_comp_channel* channel, ibv_cq** cq, void** cq_context);

    [LibraryImport(VerbsLibrary.Soname)]
    public static partial void ibv_ack_cq_events(ibv_cq* cq, uint count);

    [LibraryImport(VerbsLibrary.Soname, SetLastError = true)]
    public static partial int ibv_get_async_event(ibv_context* context, ibv_async_event* happened);

    [LibraryImport(VerbsLibrary.Soname)]
    public static partial void ibv_ack_async_event(ibv_async_event* happened);

    [LibraryImport(VerbsLibrary.Soname)]
    public static partial byte* ibv_event_type_str(int event_type);

    [LibraryImport(VerbsLibrary.Soname, SetLastError = true)]
    public static partial ibv_srq* ibv_create_srq(ibv_pd* pd, ibv_srq_init_attr* attr);

    [LibraryImport(VerbsLibrary.Soname)]
    public static partial int ibv_destroy_srq(ibv_srq* srq);

    [LibraryImport(VerbsLibrary.Soname, SetLastError = true)]
    public static partial ibv_qp* ibv_create_qp(ibv_pd* pd, ibv_qp_init_attr* attr);

    [LibraryImport(VerbsLibrary.Soname)]
    public static partial int ibv_modify_qp(ibv_qp* qp, ibv_qp_attr* attr, int mask);

    [LibraryImport(VerbsLibrary.Soname)]
    public static partial int ibv_destroy_qp(ibv_qp* qp);

    [LibraryImport(VerbsLibrary.Soname, SetLastError = true)]
    public static partial ibv_ah* ibv_create_ah(ibv_pd* pd, ibv_ah_attr* attr);

    [LibraryImport(VerbsLibrary.Soname)]
    public static partial int ibv_destroy_ah(ibv_ah* ah);

    [LibraryImport(VerbsLibrary.Soname)]
    public static partial byte* ibv_wc_status_str(int status);
}
