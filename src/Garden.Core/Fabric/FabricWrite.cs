using System.Runtime.InteropServices;

namespace Garden.Fabric;

/// <summary>One write with everything a NIC needs: 64 bytes, a cache line.</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
public struct FabricWrite
{
    /// <summary>Address of the first source byte.</summary>
    public ulong LocalAddress;

    /// <summary>The local key <see cref="IFabricDomain.Register"/> returned for the source region.</summary>
    public ulong LocalKey;

    /// <summary>Address of the first destination byte in the peer's terms.</summary>
    public ulong RemoteAddress;

    /// <summary>The peer's key for the destination region.</summary>
    public ulong RemoteKey;

    /// <summary>Length in bytes; zero is an immediate-only write, whose addresses and keys are not looked at.</summary>
    public long Length;

    /// <summary>Comes back in the completion.</summary>
    public ulong Context;

    /// <summary>The route the write goes over.</summary>
    public int Route;

    /// <summary>The immediate on the wire, 0 for none.</summary>
    public uint Immediate;
}
