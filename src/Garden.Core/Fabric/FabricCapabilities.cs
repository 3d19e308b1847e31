namespace Garden.Fabric;

/// <summary>What one NIC of a fabric does and promises. Fixed while it is open.</summary>
public sealed record FabricCapabilities
{
    /// <summary>What a sender's completion means.</summary>
    public required FabricCompletionLevel Completion { get; init; }

    /// <summary>True when writes on one route land in the order they were posted, immediates included.</summary>
    public required bool Ordered { get; init; }

    /// <summary>The longest write in bytes, at least <see cref="TransferUnits.BytesPerUnit"/>.</summary>
    public long MaxWriteLength { get; init; } = long.MaxValue;

    /// <summary>How many writes may be posted and not yet completed.</summary>
    public required int QueueDepth { get; init; }

    /// <summary>The longest message in bytes.</summary>
    public required int MaxMessageLength { get; init; }

    /// <summary>
    /// True when <see cref="IFabricDomain.FencePeer"/> keeps its promise. Elsewhere what a given-up peer could still write is given new
    /// keys (<see cref="MemoryRegion.RenewAsync"/>) before it is used for something else.
    /// </summary>
    public bool FencesPeers { get; init; } = true;

    /// <summary>
    /// True when a write that the receiver refuses (a stale key, a range outside its region) ends as failed, by itself or with its
    /// route. Elsewhere it may end as sent or stay open until its route does; it lands nowhere and announces nothing in any case.
    /// </summary>
    public bool TellsRefusedWrites { get; init; } = true;

    /// <summary>Nominal link speed in Gbit/s, 0 when unknown.</summary>
    public double LinkGigabitsPerSecond { get; init; }
}
