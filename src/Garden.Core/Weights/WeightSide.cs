namespace Garden.Weights;

/// <summary>A row of the map on one rank: what is held and where.</summary>
/// <param name="Rank">The rank.</param>
/// <param name="Box">What it holds of each tensor.</param>
/// <param name="Base">Byte offset of the first tensor held.</param>
/// <param name="Stride">Bytes from one tensor held to the next.</param>
/// <param name="ElementBytes">Bytes an element of the first three dimensions.</param>
internal readonly record struct WeightSide(int Rank, WeightBox Box, long Base, long Stride, long ElementBytes)
{
    /// <summary>Tensors begin at multiples of this: what every memory type and kernel asks for.</summary>
    public const int Alignment = 256;

    public static long Align(long bytes) => checked(bytes + Alignment - 1) / Alignment * Alignment;

    /// <summary>The strides from an element of the first tensor that an overlap takes.</summary>
    public WeightStrides Strides(long row, long column, long depth, long expert, int outer, int outerStep)
    {
        long columnPitch = Box.Ranges[2].Local, rowPitch = Box.Ranges[1].Local * columnPitch;
        long held = (outer * Box.Experts.Local) + (expert - Box.Experts.First);
        return new WeightStrides(
            Base + (held * Stride) + ((PositionOf(row, column, depth) - Box.Flat.First) * ElementBytes),
            outerStep * Box.Experts.Local * Stride,
            Stride,
            rowPitch * ElementBytes,
            columnPitch * ElementBytes);
    }

    /// <summary>Which elements of a part of the box lie in a range of its positions, such as what is held under a flat split, as a range of their numbers.</summary>
    public (long First, long End) Window(in WeightRange positions, WeightGrid part, long row, long column, long depth)
    {
        long columnPitch = Box.Ranges[2].Local, rowPitch = Box.Ranges[1].Local * columnPitch;
        long position = PositionOf(row, column, depth);
        return (
            part.ElementsBelow(positions.First - position, rowPitch, columnPitch),
            part.ElementsBelow(positions.End - position, rowPitch, columnPitch));
    }

    private long PositionOf(long row, long column, long depth) =>
        ((((row - Box.Ranges[0].First) * Box.Ranges[1].Local) + (column - Box.Ranges[1].First)) * Box.Ranges[2].Local) + (depth - Box.Ranges[2].First);
}
