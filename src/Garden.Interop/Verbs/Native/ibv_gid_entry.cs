using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>A row of a port's table of global identifiers.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ibv_gid_entry
{
    public ibv_gid gid;
    public uint gid_index;
    public uint port_num;
    public uint gid_type;
    public uint ndev_ifindex;
}
