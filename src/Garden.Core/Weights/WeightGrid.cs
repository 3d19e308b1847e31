namespace Garden.Weights;

/// <summary>A box of elements as rows of columns of runs; a run is a range of elements.</summary>
/// <param name="Rows">Rows of the box.</param>
/// <param name="Columns">Runs a row.</param>
/// <param name="Run">Elements a run.</param>
internal readonly record struct WeightGrid(long Rows, long Columns, long Run)
{
    /// <summary>The same box with runs as long as they are contiguous in what a rank holds.</summary>
    public WeightGrid Joined(in WeightBox box)
    {
        if (Run != box.Ranges[2].Local)
            return this;
        return Columns != box.Ranges[1].Local ? new WeightGrid(Rows, 1, Columns * Run) : new WeightGrid(1, 1, Rows * Columns * Run);
    }

    /// <summary>How many elements of the box lie below a position, where the next row is <paramref name="rowPitch"/> and the next column <paramref name="columnPitch"/> further.</summary>
    public long ElementsBelow(long position, long rowPitch, long columnPitch)
    {
        if (position <= 0)
            return 0;
        (long row, long rest) = Math.DivRem(position, rowPitch);
        if (row >= Rows)
            return Rows * Columns * Run;
        (long column, long offset) = Math.DivRem(rest, columnPitch);
        return column >= Columns
            ? (row + 1) * Columns * Run
            : (((row * Columns) + column) * Run) + Math.Min(offset, Run);
    }
}

/// <summary>Where elements lie, in bytes: the first one of the first tensor, and from one to the next along each loop.</summary>
internal readonly record struct WeightStrides(long Start, long Outer, long Expert, long Row, long Column);
