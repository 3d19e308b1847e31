using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>The part of an address that routers read.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ibv_global_route
{
    public ibv_gid dgid;
    public uint flow_label;
    public byte sgid_index;
    public byte hop_limit;
    public byte traffic_class;
}
