using System.Runtime.CompilerServices;

namespace Garden.Weights;

/// <summary>The part of a dimension that a rank holds.</summary>
/// <param name="First">The first index held.</param>
/// <param name="End">The index behind the last one; not above <paramref name="First"/> when nothing is held.</param>
/// <param name="Local">Indices the rank has room for, the same on every rank.</param>
public readonly record struct WeightRange(long First, long End, long Local)
{
    /// <summary>Indices held.</summary>
    public long Count => Math.Max(0, End - First);

    /// <summary>One of <paramref name="shards"/> equal ranges of this one; the last ones have less where it does not divide.</summary>
    internal WeightRange Cut(int shards, int shard)
    {
        long local = CeilingDivide(Local, shards);
        long first = First + (shard * local);
        return new WeightRange(first, Math.Min(End, first + local), local);
    }

    /// <summary>The blocks that begin inside, as a range of elements that ends at <paramref name="size"/> at most.</summary>
    internal WeightRange BlocksFrom(int block, long size) =>
        this with { First = CeilingDivide(First, block) * block, End = Math.Min(size, CeilingDivide(End, block) * block) };

    /// <summary>The same in blocks; the range must begin with one.</summary>
    internal WeightRange InBlocks(int block) => new(First / block, CeilingDivide(End, block), CeilingDivide(Local, block));

    internal static long CeilingDivide(long value, long divisor) => value <= 0 ? 0 : ((value - 1) / divisor) + 1;
}

/// <summary>A range along each of the three dimensions.</summary>
[InlineArray(3)]
internal struct WeightRanges
{
    private WeightRange _first;
}
