namespace KvStreaming;

/// <summary>What one model's run came to.</summary>
internal sealed record ModelResult
{
    public required string Model { get; init; }

    public required int Layers { get; init; }

    public required int LayersOfModel { get; init; }

    public required Measurements Measured { get; init; }

    public required TimeSpan Elapsed { get; init; }

    /// <summary>Writes posted to NICs, after coalescing and splitting; null when another process posted them.</summary>
    public long? Writes { get; init; }

    public required IReadOnlyList<WritesPerRequest> Placements { get; init; }

    public required long LeakedPages { get; init; }

    public double GigabytesPerSecond => Measured.Bytes / Elapsed.TotalSeconds / 1e9;
}

/// <summary>Writes per request for pools of one placement, computed by expanding plans without sending them.</summary>
internal sealed record WritesPerRequest(Placement Placement, double Coalesced, double Uncoalesced);
