namespace Garden.Weights;

/// <summary>Where a tensor, or its scales, lies on a rank.</summary>
/// <param name="Offset">Byte offset of what is held, in the rank's tensors.</param>
/// <param name="Rows">The part of dimension 0.</param>
/// <param name="Columns">The part of dimension 1.</param>
/// <param name="Depth">The part of dimension 2.</param>
/// <param name="Flat">
/// The positions held of the box of these three, counted row-major by their <see cref="WeightRange.Local"/>; all of them but under
/// a flat split. Position <c>Flat.First</c> is at <paramref name="Offset"/>.
/// </param>
/// <param name="ElementBytes">Bytes an element of the first three dimensions.</param>
public readonly record struct WeightHolding(long Offset, WeightRange Rows, WeightRange Columns, WeightRange Depth, WeightRange Flat, long ElementBytes)
{
    /// <summary>Bytes of what is held, room for padding included.</summary>
    public long Bytes => Flat.Local * ElementBytes;

    internal static WeightHolding? Of(in WeightPart part, in WeightSide side, int tensor)
    {
        (int outer, int expert) = Math.DivRem(tensor - part.FirstTensor, part.Experts);
        if (expert < side.Box.Experts.First || expert >= side.Box.Experts.End)
            return null;
        long held = (outer * side.Box.Experts.Local) + (expert - side.Box.Experts.First);
        return new WeightHolding(
            side.Base + (held * side.Stride), side.Box.Ranges[0], side.Box.Ranges[1], side.Box.Ranges[2], side.Box.Flat, side.ElementBytes);
    }
}
