using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>A completion (FI_CQ_FORMAT_DATA).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_cq_data_entry
{
    public void* op_context;
    public ulong flags;
    public nuint len;
    public void* buf;
    public ulong data;
}
