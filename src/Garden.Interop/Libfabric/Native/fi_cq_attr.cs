using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>How a completion queue is opened.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_cq_attr
{
    public nuint size;
    public ulong flags;
    public int format;
    public int wait_obj;
    public int signaling_vector;
    public int wait_cond;
    public void* wait_set;
}
