namespace Garden.Benchmarks.HandWritten;

/// <summary>What the hand-written loops are called with.</summary>
public readonly unsafe struct HandWrittenInput
{
    public required int* SourcePages { get; init; }

    public required int* DestinationPages { get; init; }

    public required int Pages { get; init; }

    public required int Layers { get; init; }

    /// <summary>Pages of either pool.</summary>
    public required int PoolPages { get; init; }

    public required Immediate Immediate { get; init; }
}
