using Garden.Experts;

namespace Garden.Kernels.Experts;

/// <summary>What ranks of other nodes need to know about a rank, to be gathered by whatever the job has for that. Every member has a wire form.</summary>
/// <param name="Rank">The rank.</param>
/// <param name="RoutingHash">Of its routing; another one is refused.</param>
/// <param name="Group">Its group; another one is refused.</param>
/// <param name="Engine">Its engine's address.</param>
/// <param name="Window">Dispatch region and counters.</param>
/// <param name="Combine">Combine region.</param>
public sealed record ExpertAddress(int Rank, ulong RoutingHash, ExpertGroup Group, NetAddress Engine, MemoryRegionDescriptor Window, MemoryRegionDescriptor Combine);
