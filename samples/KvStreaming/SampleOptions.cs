namespace KvStreaming;

/// <summary>What the command line asked for.</summary>
internal sealed record SampleOptions
{
    public int? Requests { get; init; }

    public FileInfo? Trace { get; init; }

    public bool Realtime { get; init; }

    public int? Layers { get; init; }

    public int Nics { get; init; } = 1;

    /// <summary>Seed of out-of-order deliveries, or null for in-order ones.</summary>
    public int? ReorderSeed { get; init; }

    public bool Corrupt { get; init; }

    public bool Json { get; init; }

    /// <summary>The least time the stand-in for a layer's compute takes per chunk.</summary>
    public TimeSpan LayerTime { get; init; }

    public Placement Placement { get; init; }

    public int ChunkTokens { get; init; } = 8192;

    public int InFlight { get; init; } = 2;

    public int Seed { get; init; } = 1;

    public FabricName Fabric { get; init; }

    /// <summary>What the nvlink fabric runs on.</summary>
    public DeviceName Device { get; init; }

    /// <summary>Nvlink: the prefill side in a process of its own.</summary>
    public bool TwoProcesses { get; init; }

    public Role Role { get; init; }

    /// <summary>Where the prefill process publishes its address: "file:PATH" or "ADDRESS:PORT".</summary>
    public string? Rendezvous { get; init; }

    /// <summary>The prefill engine's address, or where it is published.</summary>
    public string? Peer { get; init; }

    /// <summary>Local addresses for tcp (none: 127.0.0.1, 127.0.0.2, …) or devices for verbs (none: every active one), one a NIC.</summary>
    public string[] Bind { get; init; } = [];

    /// <summary>How often an engine shows that it lives; a peer that is silent for three times this has failed.</summary>
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Small enough for two cores and a few GiB: a trace's longest request has 120 633 tokens.</summary>
    public int EffectiveLayers => Layers ?? (Trace is null ? 8 : 4);

    /// <summary>Refuses what does not go together.</summary>
    public void Validate()
    {
        if (Fabric == FabricName.Loopback && (Role != Role.Both || Peer is not null || Rendezvous is not null || Bind.Length > 0))
            throw new UsageException("--role, --peer, --rendezvous and --bind are for two processes; add --fabric tcp, shm, verbs or nvlink.");
        if (Fabric == FabricName.Nvlink ? Bind.Length > 0 : TwoProcesses)
            throw new UsageException("--two-processes is for --fabric nvlink, which has nothing to --bind; the other fabrics but loopback have two processes anyway.");
        if (Fabric != FabricName.Loopback && ReorderSeed is not null)
            throw new UsageException("--reorder is an option of the loopback fabric; no other one reorders on purpose.");
        if (Fabric == FabricName.Verbs && Nics != 1)
            throw new UsageException("On verbs --bind names the devices, one a NIC; --nics is for virtual ones.");
        if (Role == Role.Decode && Peer is null)
            throw new UsageException("--role decode needs --peer: the address the prefill process prints, or the place where it publishes it.");
        if (Role != Role.Decode && Peer is not null)
            throw new UsageException("--peer is the prefill side's address and for --role decode.");
    }
}
