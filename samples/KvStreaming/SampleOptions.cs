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

    /// <summary>Small enough for two cores and a few GiB: a trace's longest request has 120 633 tokens.</summary>
    public int EffectiveLayers => Layers ?? (Trace is null ? 8 : 4);
}
