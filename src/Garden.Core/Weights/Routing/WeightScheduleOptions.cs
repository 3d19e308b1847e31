namespace Garden.Weights;

/// <summary>How a schedule is made.</summary>
public sealed record WeightScheduleOptions
{
    /// <summary>The least <see cref="TaskBytes"/>: below it the writes of a task are too short for a NIC to run at its rate.</summary>
    public const long LeastTaskBytes = 64 << 10;

    /// <summary>
    /// Bytes of a task, as they arrive, that are not exceeded where tensors can be cut: what it stages at most. Default 8 MiB.
    /// A block row of a converted tensor is never cut.
    /// </summary>
    public long TaskBytes { get; init; } = 8 << 20;

    /// <summary>The schedule's number, which the one who plans counts up so that ranks can tell an old one. Default 1.</summary>
    public uint Epoch { get; init; } = 1;
}
