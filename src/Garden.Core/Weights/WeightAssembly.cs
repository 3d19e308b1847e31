using System.Diagnostics.CodeAnalysis;

namespace Garden.Weights;

/// <summary>Something an assemble stage makes in the sender's staging memory before the writes of a route can go.</summary>
/// <param name="Overlap">What: which elements of which tensors, to be packed in their order or converted.</param>
/// <param name="StagingOffset">Where: byte offset in the staging memory of the route.</param>
public readonly record struct WeightAssembly(WeightOverlap Overlap, long StagingOffset)
{
    /// <summary>Packs in host memory. Conversions are the work of the update pipeline.</summary>
    /// <param name="tensors">The sender's tensors.</param>
    /// <param name="staging">The staging memory of the route.</param>
    /// <exception cref="InvalidOperationException">The overlap is not <see cref="WeightStage.Packed"/>.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A span is too short for the map and its meshes.</exception>
    public void Pack(ReadOnlySpan<byte> tensors, Span<byte> staging)
    {
        if (Overlap.Stage != WeightStage.Packed)
            ThrowStage(Overlap.Stage);
        WeightPieces pieces = default;
        int count = Overlap.Pack(StagingOffset, ref pieces);
        foreach (ref readonly WeightPiece piece in ((ReadOnlySpan<WeightPiece>)pieces)[..count])
        {
            for (long outer = 0; outer < piece.OuterTurns; outer++)
            {
                for (long inner = 0; inner < piece.Levels[WeightLevels.Count - 1].Count; inner++)
                {
                    WeightRun run = piece.RunAt(outer, inner);
                    tensors.Slice(checked((int)run.SourceOffset), (int)run.Length).CopyTo(staging[checked((int)run.DestinationOffset)..]);
                }
            }
        }
    }

    [DoesNotReturn]
    private static void ThrowStage(WeightStage stage) =>
        throw new InvalidOperationException($"A {stage} overlap cannot be packed: only {WeightStage.Packed} ones are copied as they are.");
}
