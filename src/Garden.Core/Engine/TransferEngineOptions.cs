namespace Garden;

/// <summary>Settings of an engine, fixed when it is built.</summary>
public sealed record TransferEngineOptions
{
    /// <summary>Slots of a device's submission ring, a power of two. 128 bytes each.</summary>
    public int RingSlots { get; set; } = 4096;

    /// <summary>Transfers that may be submitted and not yet consumed.</summary>
    public int MaxTransfers { get; set; } = 1 << 16;

    /// <summary>Regions, local and imported, that may exist at once.</summary>
    public int MaxRegions { get; set; } = 1 << 16;

    /// <summary>Peers a device may have at once.</summary>
    public int MaxPeers { get; set; } = 4096;

    /// <summary>Engine-allocated counters that may exist at once, at most 32768.</summary>
    public int MaxCounters { get; set; } = 1 << 15;

    /// <summary>User-chosen immediate numbers that may be in use or counted early at once; one more faults the peer that sent it.</summary>
    public int MaxNumbers { get; set; } = 4096;

    /// <summary>Progress watchers a device may have at once.</summary>
    public int MaxWatchers { get; set; } = 4096;

    /// <summary>Outgoing messages that may wait per device.</summary>
    public int MaxQueuedMessages { get; set; } = 8192;

    /// <summary>Deadline of a transfer that names none.</summary>
    public TimeSpan TransferDeadline { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a cancelled or failed transfer may take to drain before it ends all the same, counted as leaked.</summary>
    public TimeSpan DrainDeadline { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Deadline of a connection attempt that names none.</summary>
    public TimeSpan ConnectDeadline { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long <see cref="TransferEngine.Submit{TPlan}"/> waits for a free ring slot.</summary>
    public TimeSpan SubmitDeadline { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>A peer hears from this engine at least this often.</summary>
    public TimeSpan HeartbeatInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>A peer that was silent for this many intervals has failed.</summary>
    public int MissedHeartbeats { get; set; } = 3;

    /// <summary>How a worker waits when there is nothing to do.</summary>
    public WaitStrategy WaitStrategy { get; set; } = WaitStrategy.Balanced;

    /// <summary>True: no worker threads; the caller runs the engine with <see cref="TransferEngine.Poll"/>.</summary>
    public bool CallerDriven { get; set; }

    /// <summary>CPU a device's worker is pinned to (device index → CPU), Linux only. Devices that are not listed are not pinned.</summary>
    public IReadOnlyDictionary<int, int> WorkerCpus { get; set; } = new Dictionary<int, int>();

    /// <summary>A secret peers must present in their hello; empty for none.</summary>
    public string SharedSecret { get; set; } = "";

    /// <summary>Decides whether a peer that says hello is let in; null lets everyone in who knows the secret.</summary>
    public Func<NetAddress, bool>? Admit { get; set; }

    internal void Validate()
    {
        Require(RingSlots is >= 2 and <= 1 << 24 && (RingSlots & (RingSlots - 1)) == 0, nameof(RingSlots), RingSlots, "a power of two, 2 … 16777216");
        Require(MaxTransfers is >= 1 and <= 1 << 20, nameof(MaxTransfers), MaxTransfers, "1 … 1048576");
        Require(MaxRegions is >= 1 and <= 1 << RegionHandle.IndexBits, nameof(MaxRegions), MaxRegions, "1 … 1048576");
        Require(MaxPeers is >= 1 and <= 1 << 20, nameof(MaxPeers), MaxPeers, "1 … 1048576");
        Require(MaxCounters is >= 1 and <= 1 << Immediate.SlotBits, nameof(MaxCounters), MaxCounters, "1 … 32768");
        Require(MaxNumbers is >= 1 and <= 1 << 20, nameof(MaxNumbers), MaxNumbers, "1 … 1048576");
        Require(MaxWatchers is >= 1 and <= 1 << 20, nameof(MaxWatchers), MaxWatchers, "1 … 1048576");
        Require(MaxQueuedMessages >= 1, nameof(MaxQueuedMessages), MaxQueuedMessages, "1 or more");
        Require(MissedHeartbeats >= 1, nameof(MissedHeartbeats), MissedHeartbeats, "1 or more");
        foreach ((string name, TimeSpan value) in new[]
        {
            (nameof(TransferDeadline), TransferDeadline), (nameof(DrainDeadline), DrainDeadline), (nameof(ConnectDeadline), ConnectDeadline),
            (nameof(SubmitDeadline), SubmitDeadline), (nameof(HeartbeatInterval), HeartbeatInterval),
        })
        {
            Require(value > TimeSpan.Zero && value < TimeSpan.FromDays(20), name, value, "more than zero and less than 20 days");
        }
    }

    private static void Require(bool condition, string name, object value, string range)
    {
        if (!condition)
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be {range}.");
    }
}
