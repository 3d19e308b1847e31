using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>A port's global identifier: an IPv6 address, or an IPv4 address in its mapped form.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal unsafe struct ibv_gid
{
    [FieldOffset(0)]
    public fixed byte raw[16];

    [FieldOffset(0)]
    public ulong global_subnet_prefix;

    [FieldOffset(8)]
    public ulong global_interface_id;
}
