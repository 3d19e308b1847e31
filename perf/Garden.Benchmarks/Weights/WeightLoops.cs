namespace Garden.Benchmarks.Weights;

/// <summary>The loop somebody who knows the one model and its two meshes would write, its sizes as constants; it goes on where it stopped.</summary>
public interface IWeightLoop
{
    /// <summary>The next descriptors; <paramref name="first"/> and <paramref name="second"/> are the positions of the outer and the inner loop.</summary>
    static abstract int Expand(Immediate immediate, ref int first, ref int second, Span<WriteDescriptor> descriptors);
}

/// <summary><see cref="RowParallel"/> from rank 5 to rank 2: for each layer, each of 128 rows of 3584 × 2 B goes to the second half of a row twice as long.</summary>
public readonly struct RowParallelLoop : IWeightLoop
{
    public static int Expand(Immediate immediate, ref int layer, ref int row, Span<WriteDescriptor> descriptors)
    {
        int written = 0;
        while (layer < 8)
        {
            long source = layer * 128 * 7168L, destination = (layer * 128 * 14_336L) + 7168;
            for (; row < 128; row++)
            {
                if (written == descriptors.Length)
                    return written;
                descriptors[written++] = WriteDescriptor.Create(
                    default, source + (row * 7168L), default, destination + (row * 14_336L), 7168, immediate, 1);
            }

            layer++;
            row = 0;
        }

        return written;
    }
}

/// <summary><see cref="FlatExperts"/> from rank 17 to rank 1: for each layer, each of its 128 experts gets 8 KiB in the middle of 2 MiB.</summary>
public readonly struct FlatExpertsLoop : IWeightLoop
{
    public static int Expand(Immediate immediate, ref int layer, ref int expert, Span<WriteDescriptor> descriptors)
    {
        int written = 0;
        while (layer < 8)
        {
            long source = ((layer * 256) + 128) * 8192L, destination = (layer * 128 * 2_097_152L) + (17 * 8192);
            for (; expert < 128; expert++)
            {
                if (written == descriptors.Length)
                    return written;
                descriptors[written++] = WriteDescriptor.Create(
                    default, source + (expert * 8192L), default, destination + (expert * 2_097_152L), 8192, immediate, 1);
            }

            layer++;
            expert = 0;
        }

        return written;
    }
}
