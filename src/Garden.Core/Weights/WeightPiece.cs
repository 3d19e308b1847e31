using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Garden.Weights;

/// <summary>
/// Runs of one length at regular places on both sides: what one rank sends another of a row of the map, or a part of that.
/// 176 bytes, blittable.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct WeightPiece
{
    /// <summary>Byte offset of the first run in the sender's tensors, or in its staging memory.</summary>
    public long SourceOffset;

    /// <summary>Byte offset of the first run in the receiver's tensors.</summary>
    public long DestinationOffset;

    /// <summary>Bytes a run.</summary>
    public long Length;

    /// <summary>Number of the tensor the first run belongs to.</summary>
    public long FirstTensor;

    /// <summary>The loops over the runs.</summary>
    public WeightLevels Levels;

    /// <summary>The rank that sends.</summary>
    public int SourceRank;

    /// <summary>The rank that receives.</summary>
    public int DestinationRank;

    /// <summary>The row of the map.</summary>
    public int Part;

    /// <summary>Where the bytes come from.</summary>
    public WeightStage Stage;

    /// <summary>Number of runs.</summary>
    public readonly long Runs => OuterTurns * Levels[3].Count;

    /// <summary>Bytes of all runs.</summary>
    public readonly long Bytes => Runs * Length;

    /// <summary>Units of all runs.</summary>
    public readonly long Units => Runs * TransferUnits.OfRun(Length);

    /// <summary>Turns of the three outer loops together.</summary>
    internal readonly long OuterTurns => Levels[0].Count * Levels[1].Count * Levels[2].Count;

    /// <summary>One of the runs: <paramref name="outer"/> is below <see cref="OuterTurns"/>, <paramref name="inner"/> below the innermost count.</summary>
    internal readonly WeightRun RunAt(long outer, long inner)
    {
        (long source, long destination, long tensor) = (SourceOffset, DestinationOffset, FirstTensor);
        for (int i = WeightLevels.Count - 1; i >= 0; i--)
        {
            ref readonly WeightLevel level = ref Levels[i];
            if (level.Count == 1)
                break;
            long turn = inner;
            if (i > 0)
                (outer, inner) = Math.DivRem(outer, Levels[i - 1].Count);
            source += turn * level.SourceStride;
            destination += turn * level.DestinationStride;
            tensor += turn * level.TensorStride;
        }

        return new WeightRun((int)tensor, SourceRank, source, DestinationRank, destination, Length, Stage, Part);
    }

    /// <summary>The end of the last byte at the source. Strides are not negative.</summary>
    internal readonly long SourceEnd
    {
        get
        {
            long last = SourceOffset;
            foreach (ref readonly WeightLevel level in (ReadOnlySpan<WeightLevel>)Levels)
                last = checked(last + ((level.Count - 1) * level.SourceStride));
            return checked(last + Length);
        }
    }

    /// <summary>The end of the last byte at the destination.</summary>
    internal readonly long DestinationEnd
    {
        get
        {
            long last = DestinationOffset;
            foreach (ref readonly WeightLevel level in (ReadOnlySpan<WeightLevel>)Levels)
                last = checked(last + ((level.Count - 1) * level.DestinationStride));
            return checked(last + Length);
        }
    }

    /// <summary>Sets the loops: drops those that do not turn and joins those that go on where the next one ends.</summary>
    internal void SetLevels(ReadOnlySpan<WeightLevel> levels)
    {
        int kept = 0;
        WeightLevels joined = default;
        foreach (ref readonly WeightLevel level in levels)
        {
            if (level.Count == 1)
                continue;
            if (kept > 0 && joined[kept - 1].Continues(in level))
                joined[kept - 1] = joined[kept - 1].Joined(in level);
            else
                joined[kept++] = level;
        }

        for (int i = 0; i < WeightLevels.Count; i++)
        {
            int from = i - (WeightLevels.Count - kept);
            Levels[i] = from >= 0 ? joined[from] : new WeightLevel(1, 0, 0, 0);
        }
    }

    /// <summary>
    /// Writes descriptors from run (<paramref name="outer"/>, <paramref name="inner"/>) on until the span is full or the piece
    /// ends, which it has when <paramref name="outer"/> comes back as <see cref="OuterTurns"/>.
    /// </summary>
    internal readonly int Expand(
        Span<WriteDescriptor> descriptors, RegionHandle source, long sourceBase, RegionHandle destination, long destinationBase,
        Immediate immediate, uint units, ref long outer, ref long inner)
    {
        ref readonly WeightLevel level0 = ref Levels[0];
        ref readonly WeightLevel level1 = ref Levels[1];
        ref readonly WeightLevel level2 = ref Levels[2];
        ref readonly WeightLevel level3 = ref Levels[3];
        long turns = OuterTurns, count = level3.Count, length = Length;
        (long i0, long i1, long i2) = (0, 0, 0);
        if (outer != 0)
        {
            (long rest, i2) = Math.DivRem(outer, level2.Count);
            (i0, i1) = Math.DivRem(rest, level1.Count);
        }

        int written = 0;
        ref WriteDescriptor slot = ref MemoryMarshal.GetReference(descriptors);
        while (written < descriptors.Length && outer < turns)
        {
            long from = sourceBase + SourceOffset + (i0 * level0.SourceStride) + (i1 * level1.SourceStride) + (i2 * level2.SourceStride) + (inner * level3.SourceStride);
            long to = destinationBase + DestinationOffset + (i0 * level0.DestinationStride) + (i1 * level1.DestinationStride) + (i2 * level2.DestinationStride) + (inner * level3.DestinationStride);
            long fromStep = level3.SourceStride, toStep = level3.DestinationStride;
            // Below the room that is left, so every slot written lies inside the span.
            int end = (int)Math.Min(descriptors.Length, written + count - inner);
            inner += end - written;
            for (; written < end; written++)
            {
                Unsafe.Add(ref slot, written) = WriteDescriptor.Create(source, from, destination, to, length, immediate, units);
                from += fromStep;
                to += toStep;
            }

            if (inner < count)
                break;
            inner = 0;
            outer++;
            if (++i2 < level2.Count)
                continue;
            i2 = 0;
            if (++i1 < level1.Count)
                continue;
            i1 = 0;
            i0++;
        }

        return written;
    }
}

/// <summary>The pieces an overlap falls into: five at most, because only the two ends of a flat range can cut a row and a run each.</summary>
[InlineArray(Most)]
internal struct WeightPieces
{
    public const int Most = 5;

    private WeightPiece _first;
}
