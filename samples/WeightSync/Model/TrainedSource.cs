using Garden.Weights;

namespace WeightSync;

/// <summary>A stand-in for training: the checkpoint's values, of which every step changes the low bits.</summary>
internal sealed class TrainedSource(IWeightSource checkpoint) : IWeightSource
{
    /// <summary>The step that is loaded.</summary>
    public long Step { get; set; }

    public async ValueTask LoadAsync(int tensor, WeightHolding holding, nint memory, CancellationToken cancellationToken)
    {
        await checkpoint.LoadAsync(tensor, holding, memory, cancellationToken);
        Change(memory, holding.Flat.Count * holding.ElementBytes / sizeof(ushort));
    }

    private unsafe void Change(nint memory, long values)
    {
        // Safe: what is held is as long as the holding says, and the source has filled it.
        var held = (ushort*)memory;
        for (long i = 0; i < values; i++)
            held[i] ^= (ushort)((Step + i) & 7);
    }
}
