namespace Garden.Weights;

/// <summary>What <see cref="Float8Blocks"/> must compute, one element after the other: for tests, and for kernels to be compared with.</summary>
public static class Float8BlocksReference
{
    /// <inheritdoc cref="Float8Blocks.ConvertRow"/>
    public static void ConvertRow(ReadOnlySpan<ushort> source, int rows, int columns, Span<byte> destination, Span<float> scales)
    {
        Float8Blocks.RequireRow(source.Length, rows, columns, destination.Length, scales.Length);
        for (int block = 0; block < scales.Length; block++)
        {
            int first = block * Float8Blocks.Size, end = Math.Min(columns, first + Float8Blocks.Size);
            uint largest = 0;
            for (int row = 0; row < rows; row++)
            {
                for (int column = first; column < end; column++)
                    largest = Math.Max(largest, Float8Blocks.FiniteMagnitude(source[(row * columns) + column]));
            }

            float scale = Float8Blocks.ScaleOf(largest);
            scales[block] = scale;
            for (int row = 0; row < rows; row++)
            {
                int start = (row * columns) + first;
                Convert(source.Slice(start, end - first), destination.Slice(start, end - first), scale);
            }
        }
    }

    /// <summary>Elements of a block whose scale is known.</summary>
    internal static void Convert(ReadOnlySpan<ushort> source, Span<byte> destination, float scale)
    {
        for (int i = 0; i < source.Length; i++)
            destination[i] = Float8.FromSingle(BitConverter.UInt32BitsToSingle((uint)source[i] << 16) / scale);
    }
}
