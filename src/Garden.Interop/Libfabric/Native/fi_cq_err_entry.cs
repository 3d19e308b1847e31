using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>A failed completion. Libraries from 1.20 on write one word more, for which <see cref="src_addr"/> has room.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_cq_err_entry
{
    public void* op_context;
    public ulong flags;
    public nuint len;
    public void* buf;
    public ulong data;
    public ulong tag;
    public nuint olen;
    public int err;
    public int prov_errno;
    public void* err_data;
    public nuint err_data_size;
    public ulong src_addr;
}
