using System.Runtime.InteropServices;

namespace Garden.Experts;

/// <summary>
/// How far one peer has come, in epochs: blittable, a line of its own (128 bytes) for each peer. Counters only grow and are never
/// cleared; a counter that has reached an epoch stands for all before it.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = SizeInBytes)]
public struct ExpertPeerCounters
{
    /// <summary>Size in bytes.</summary>
    public const int SizeInBytes = 128;

    /// <summary>The peer's rows are here.</summary>
    public uint DispatchArrived;

    /// <summary>The peer has taken our rows out of its slot, which may be written again two epochs on; on another node, it has answered all until then.</summary>
    public uint DispatchConsumed;

    /// <summary>The peer's results are here.</summary>
    public uint CombineArrived;

    /// <summary>The peer has taken our results, and their place may be written again two epochs on.</summary>
    public uint CombineConsumed;
}
