namespace Garden.Weights;

/// <summary>What a trainer rank needs to send updates.</summary>
public sealed record WeightSenderOptions
{
    /// <summary>Memory that holds the rank's tensors as <see cref="WeightTensors{TMap}.AtTrainer"/> lays them out, <see cref="WeightMeshes{TMap}.TrainerBytes"/> of it. Required.</summary>
    /// <remarks>Host memory, or that of <see cref="Device"/>, where loading, packing, converting and hashing happen; any memory where there is nothing of these to do.</remarks>
    public required MemoryRegion Tensors { get; init; }

    /// <summary>Byte offset of the tensors in the region, a multiple of 256.</summary>
    public long TensorsOffset { get; init; }

    /// <summary>Where the tensors are and the stages work: a GPU, by Garden.Kernels' <c>WeightDevice</c>. Null for host memory and the rank's threads.</summary>
    public IWeightDevice? Device { get; init; }

    /// <summary>Fills the tensors at the beginning of each update; null when they are there already (the trainer computes in this memory).</summary>
    public IWeightSource? Source { get; init; }

    /// <summary>
    /// Bytes that packing, gathering and converting use at most, whatever is under way; at least two tasks' worth. When they are used
    /// up, the stages before wait for the writes. Default 256 MiB.
    /// </summary>
    public long Watermark { get; init; } = 256 << 20;

    /// <summary>Tasks that are assembled at once, each on a thread of the pool. Default 1: beside it the engine's worker runs, and the source.</summary>
    public int Assemblers { get; init; } = 1;

    /// <summary>Sends a hash for every 256 KiB along, which receivers compare. Must be the same on all ranks.</summary>
    public bool Verify { get; init; }

    /// <summary>How long the other receivers may take to offer a step when one has: then it goes on without them. Default 10 s.</summary>
    public TimeSpan OfferDeadline { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>What the rank is called in messages for people. Default: its address.</summary>
    public string? Name { get; init; }

    /// <summary>Message channel; this and the next one are used. Must be the same on all ranks.</summary>
    public ushort Channel { get; init; } = WeightChannels.Default;

    internal void Validate(long tensorBytes)
    {
        ArgumentNullException.ThrowIfNull(Tensors);
        if (TensorsOffset < 0 || TensorsOffset % WeightSide.Alignment != 0 || TensorsOffset > Tensors.Length - tensorBytes)
            throw new ArgumentOutOfRangeException(nameof(TensorsOffset), TensorsOffset, $"The rank's tensors have {tensorBytes} bytes; they do not lie in a region of {Tensors.Length} at a multiple of {WeightSide.Alignment}.");
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(OfferDeadline, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(OfferDeadline, TimeSpan.FromDays(1));
        ArgumentOutOfRangeException.ThrowIfLessThan(Assemblers, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Assemblers, 64);
    }
}
