namespace Garden;

/// <summary>Which lanes a transfer's writes may take.</summary>
public readonly record struct LaneRouting
{
    private LaneRouting(LaneRoutingKind kind, int lane)
    {
        Kind = kind;
        Lane = lane;
    }

    /// <summary>The policy.</summary>
    public LaneRoutingKind Kind { get; }

    /// <summary>The lane of <see cref="LaneRoutingKind.Pinned"/>; for <see cref="LaneRoutingKind.Sharded"/> how many lanes to use, 0 for all.</summary>
    public int Lane { get; }

    /// <summary>All live lanes: writes are dealt to the lane with most free credits, a few long ones are cut over all. The default.</summary>
    public static LaneRouting Sharded => default;

    /// <summary>As <see cref="Sharded"/>, over <paramref name="lanes"/> of the lanes; transfers take turns in which ones.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="lanes"/> is not 1 … 8.</exception>
    public static LaneRouting ShardedOver(int lanes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(lanes, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(lanes, NetAddress.MaxNics);
        return new LaneRouting(LaneRoutingKind.Sharded, lanes);
    }

    /// <summary>Each destination peer keeps one lane; peers spread over the lanes.</summary>
    public static LaneRouting ByPeer => new(LaneRoutingKind.ByPeer, 0);

    /// <summary>Every write is cut over all live lanes in equal shares.</summary>
    public static LaneRouting ByBytes => new(LaneRoutingKind.ByBytes, 0);

    /// <summary>Everything on one lane. The transfer fails when the lane does.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="lane"/> is not 0 … 7.</exception>
    public static LaneRouting Pinned(int lane)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(lane);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(lane, NetAddress.MaxNics);
        return new LaneRouting(LaneRoutingKind.Pinned, lane);
    }
}

/// <summary>The policies of <see cref="LaneRouting"/>.</summary>
public enum LaneRoutingKind : byte
{
    /// <summary>See <see cref="LaneRouting.Sharded"/>.</summary>
    Sharded = 0,

    /// <summary>See <see cref="LaneRouting.Pinned"/>.</summary>
    Pinned = 1,

    /// <summary>See <see cref="LaneRouting.ByPeer"/>.</summary>
    ByPeer = 2,

    /// <summary>See <see cref="LaneRouting.ByBytes"/>.</summary>
    ByBytes = 3,
}
