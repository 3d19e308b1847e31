using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Garden.Weights;

/// <summary>What an inference rank needs to receive updates.</summary>
public sealed record WeightReceiverOptions
{
    /// <summary>
    /// One or two regions of <see cref="WeightMeshes{TMap}.InferenceBytes"/>, laid out as <see cref="WeightTensors{TMap}.AtInference"/> says. Two: an update
    /// is written beside the version that is served. One: addresses never change (captured graphs keep them), and from the beginning
    /// of an update to its swap there is nothing to serve. Required.
    /// </summary>
    public required IReadOnlyList<MemoryRegion> Buffers { get; init; }

    /// <summary>Byte offset of the tensors in each region, a multiple of 256.</summary>
    public long Offset { get; init; }

    /// <summary>Where the buffers are, for verification: a GPU, by Garden.Kernels' <c>WeightDevice</c>. Null for host memory.</summary>
    public IWeightDevice? Device { get; init; }

    /// <summary>Hashes what has arrived and compares it with what was sent. Must be the same on all ranks.</summary>
    public bool Verify { get; init; }

    /// <summary>Called by <see cref="WeightReceiver{TMap}.Swap"/> with the new step before it is served: KV caches of the old weights are worthless then.</summary>
    public Action<long>? InvalidateCaches { get; init; }

    /// <summary>What the rank is called in messages for people. Default: its address.</summary>
    public string? Name { get; init; }

    /// <summary>Message channel; this and the next one are used. Must be the same on all ranks.</summary>
    public ushort Channel { get; init; } = WeightChannels.Default;

    /// <summary>Where to log; nowhere by default.</summary>
    public ILogger Logger { get; init; } = NullLogger.Instance;

    internal void Validate(long tensorBytes)
    {
        if (Buffers is not { Count: 1 or 2 })
            throw new ArgumentException($"A receiver has 1 or 2 buffers; got {Buffers?.Count ?? 0}.", nameof(Buffers));
        foreach (MemoryRegion buffer in Buffers)
        {
            if (Offset < 0 || Offset % WeightSide.Alignment != 0 || Offset > buffer.Length - tensorBytes)
                throw new ArgumentOutOfRangeException(nameof(Offset), Offset, $"The rank's tensors have {tensorBytes} bytes; they do not lie in a region of {buffer.Length} at a multiple of {WeightSide.Alignment}.");
            if (Verify && buffer.Kind != (Device?.Kind ?? MemoryKind.Host))
                throw new ArgumentException($"Verification reads the tensors in {Device?.Kind ?? MemoryKind.Host} memory; this region is {buffer.Kind} memory. Set WeightReceiverOptions.Device to its device.", nameof(Buffers));
        }

        // One is written while the other is served.
        if (Buffers is [var first, var second] && Math.Abs(first.Address - second.Address) < tensorBytes)
            throw new ArgumentException($"The tensors' {tensorBytes} bytes in the two buffers, at 0x{first.Address + Offset:x} and 0x{second.Address + Offset:x}, overlap.", nameof(Buffers));
    }
}
