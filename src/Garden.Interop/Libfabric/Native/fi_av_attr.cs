using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>How an address vector is opened.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_av_attr
{
    public int type;
    public int rx_ctx_bits;
    public nuint count;
    public nuint ep_per_node;
    public byte* name;
    public void* map_addr;
    public ulong flags;
}
