using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>A port's global identifier: an IPv6 address, or an IPv4 address in its mapped form.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ibv_gid
{
    public fixed byte raw[16];
}
