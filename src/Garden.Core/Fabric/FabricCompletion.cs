using System.Runtime.InteropServices;

namespace Garden.Fabric;

/// <summary>One entry of a completion queue, 48 bytes. Which fields mean something depends on <see cref="Kind"/>; after a <see cref="Status"/> other than Ok only <see cref="Context"/>, <see cref="Count"/>, <see cref="Route"/> and <see cref="ProviderCode"/> do.</summary>
[StructLayout(LayoutKind.Sequential, Size = 48)]
public struct FabricCompletion
{
    /// <summary>What this entry reports.</summary>
    public FabricCompletionKind Kind;

    /// <summary>How it ended.</summary>
    public FabricStatus Status;

    /// <summary>The local route, −1 when the domain cannot tell.</summary>
    public int Route;

    /// <summary>The context of the posted writes or of the sent message.</summary>
    public ulong Context;

    /// <summary>How many posted writes this entry stands for, or how often the same immediate came; one for every other kind.</summary>
    public int Count;

    /// <summary>The bits of a received immediate.</summary>
    public uint Immediate;

    /// <summary>First byte of a received message.</summary>
    public nint Message;

    /// <summary>Length of a received message in bytes.</summary>
    public int MessageLength;

    /// <summary>The provider's own error code, 0 where there is none.</summary>
    public int ProviderCode;

    /// <summary>What the domain needs to take the message buffer back.</summary>
    public long MessageToken;
}
