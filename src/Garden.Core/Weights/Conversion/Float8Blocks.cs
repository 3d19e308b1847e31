using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Garden.Weights;

/// <summary>
/// bfloat16 to FP8 e4m3 with one scale for each block of 128 × 128 elements, as <see cref="WeightConversion.Float8Block128"/> declares.
/// Vectorised; <see cref="Float8BlocksReference"/> is the same arithmetic, one element after the other, and gives the same bits.
/// </summary>
/// <remarks>
/// <para>
/// For each block: scale = max |x| / 448 over its finite elements, 1 where they are all zero; an element becomes the e4m3 value nearest
/// to x / scale (single precision, correctly rounded; ties to even; what is beyond ±448, infinities included, becomes ±448; NaN stays).
/// x ≈ scale × element: the scale is what checkpoints of DeepSeek-V3 call <c>weight_scale_inv</c> and compute in the same way.
/// </para>
/// <para>A block at the end of a tensor is smaller; the rule is the same.</para>
/// </remarks>
public static class Float8Blocks
{
    /// <summary>Rows and columns of a block.</summary>
    public const int Size = 128;

    /// <summary>
    /// Blocks side by side that are searched and then converted: 8 KiB of each of 128 rows, 1 MiB that is still in a cache the second time.
    /// Narrower tiles are slower, 8 blocks by 0.6: prefetchers do not cross pages, so that every row begins with a miss.
    /// </summary>
    private const int TileBlocks = 32;

    /// <summary>Magnitudes from here on are infinity and NaN.</summary>
    private const uint NonFinite = 0x7F80;

    private const uint SmallestNormalBits = 0x3C80_0000; // 2^-6

    /// <summary>What the vectors' rounding leaves in its sum beside the steps: the exponent it added, and the smallest normal value's.</summary>
    private const uint RoundBias = (20u << 23) + (SmallestNormalBits >> 20);

    /// <summary>Scales of a matrix.</summary>
    public static long ScalesOf(long rows, long columns) => WeightRange.CeilingDivide(rows, Size) * WeightRange.CeilingDivide(columns, Size);

    /// <summary>Converts one row of blocks.</summary>
    /// <param name="source">bfloat16 bits, <paramref name="rows"/> rows of <paramref name="columns"/> elements.</param>
    /// <param name="rows">Rows, 1 to 128: fewer at the end of the tensor only.</param>
    /// <param name="columns">Columns of the tensor's part that is converted, from a block's first one on.</param>
    /// <param name="destination">e4m3 bits, as many as elements.</param>
    /// <param name="scales">One for each block: ⌈columns / 128⌉.</param>
    /// <exception cref="ArgumentOutOfRangeException">The rows are not 1 to 128, or a span has another length.</exception>
    public static void ConvertRow(ReadOnlySpan<ushort> source, int rows, int columns, Span<byte> destination, Span<float> scales)
    {
        RequireRow(source.Length, rows, columns, destination.Length, scales.Length);
        Span<uint> largest = stackalloc uint[TileBlocks];
        Span<Float8Scale> tile = stackalloc Float8Scale[TileBlocks];
        for (int first = 0; first < columns; first += Size * TileBlocks)
        {
            int width = Math.Min(Size * TileBlocks, columns - first), blocks = (int)ScalesOf(1, width);
            LargestMagnitudes(source, rows, columns, first, width, largest);
            for (int block = 0; block < blocks; block++)
            {
                bool isFinite = largest[block] < NonFinite;
                if (!isFinite)
                    largest[block] = LargestFinite(source, rows, columns, first + (block * Size), Math.Min(Size, width - (block * Size)));
                tile[block] = new Float8Scale(ScaleOf(largest[block]), isFinite && Float8Scale.Covers(largest[block]));
                scales[(first / Size) + block] = tile[block].Value;
            }

            for (int row = 0; row < rows; row++)
            {
                for (int block = 0; block < blocks; block++)
                {
                    int start = (row * columns) + first + (block * Size), count = Math.Min(Size, width - (block * Size));
                    ReadOnlySpan<ushort> from = source.Slice(start, count);
                    Span<byte> to = destination.Slice(start, count);
                    if (tile[block].IsFast)
                        ConvertFinite(from, to, tile[block]);
                    else
                        Float8BlocksReference.Convert(from, to, tile[block].Value);
                }
            }
        }
    }

    /// <summary>The scale of a block whose largest finite magnitude has these bfloat16 bits.</summary>
    internal static float ScaleOf(uint largest) => largest == 0 ? 1 : BitConverter.UInt32BitsToSingle(largest << 16) / Float8.MaxValue;

    internal static void RequireRow(int source, int rows, int columns, int destination, int scales)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, Size);
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        ArgumentOutOfRangeException.ThrowIfNotEqual(source, rows * (long)columns);
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination, rows * (long)columns);
        ArgumentOutOfRangeException.ThrowIfNotEqual(scales, (int)ScalesOf(1, columns));
    }

    /// <summary>The largest magnitudes of some blocks side by side, infinity and NaN included, read row by row.</summary>
    private static void LargestMagnitudes(ReadOnlySpan<ushort> source, int rows, int columns, int first, int width, Span<uint> largest)
    {
        Span<Vector256<ushort>> lanes = stackalloc Vector256<ushort>[TileBlocks];
        lanes.Clear();
        largest.Clear();
        Vector256<ushort> magnitude = Vector256.Create((ushort)0x7FFF);
        for (int row = 0; row < rows; row++)
        {
            for (int block = 0; block * Size < width; block++)
            {
                ReadOnlySpan<ushort> elements = source.Slice((row * columns) + first + (block * Size), Math.Min(Size, width - (block * Size)));
                ref ushort element = ref MemoryMarshal.GetReference(elements);
                Vector256<ushort> most = lanes[block];
                int i = 0;
                // Safe: a vector of 16 is read only where 16 elements are left of the slice.
                for (; i <= elements.Length - Vector256<ushort>.Count; i += Vector256<ushort>.Count)
                    most = Vector256.Max(most, Vector256.LoadUnsafe(ref element, (nuint)i) & magnitude);
                lanes[block] = most;
                for (; i < elements.Length; i++)
                    largest[block] = Math.Max(largest[block], elements[i] & 0x7FFFu);
            }
        }

        for (int block = 0; block < lanes.Length; block++)
        {
            for (int lane = 0; lane < Vector256<ushort>.Count; lane++)
                largest[block] = Math.Max(largest[block], lanes[block][lane]);
        }
    }

    private static uint LargestFinite(ReadOnlySpan<ushort> source, int rows, int columns, int first, int width)
    {
        uint largest = 0;
        for (int row = 0; row < rows; row++)
        {
            foreach (ushort element in source.Slice((row * columns) + first, width))
                largest = Math.Max(largest, FiniteMagnitude(element));
        }

        return largest;
    }

    internal static uint FiniteMagnitude(ushort bits)
    {
        uint magnitude = bits & 0x7FFFu;
        return magnitude < NonFinite ? magnitude : 0;
    }

    /// <summary>Finite elements of a block that <see cref="Float8Scale.Covers"/>.</summary>
    /// <remarks>
    /// A word is two elements, which are rounded each in a lane of its own: the lower one shifted up, the upper one where it is. Shifted
    /// together again they are the lower half of the word.
    /// </remarks>
    private static void ConvertFinite(ReadOnlySpan<ushort> source, Span<byte> destination, Float8Scale scale)
    {
        ref ushort from = ref MemoryMarshal.GetReference(source);
        ref byte to = ref MemoryMarshal.GetReference(destination);
        int i = 0;
        // Safe: vectors are read and written only where as many elements are left of both slices, which have one length.
        if (Vector512.IsHardwareAccelerated)
        {
            for (; i <= source.Length - Vector512<byte>.Count; i += Vector512<byte>.Count)
            {
                Vector512<uint> low = Convert(Vector512.LoadUnsafe(ref from, (nuint)i).AsUInt32(), scale);
                Vector512<uint> high = Convert(Vector512.LoadUnsafe(ref from, (nuint)i + 32).AsUInt32(), scale);
                Vector512.Narrow(low, high).AsByte().StoreUnsafe(ref to, (nuint)i);
            }
        }

        for (; i <= source.Length - Vector256<byte>.Count; i += Vector256<byte>.Count)
        {
            Vector256<uint> low = Convert(Vector256.LoadUnsafe(ref from, (nuint)i).AsUInt32(), scale);
            Vector256<uint> high = Convert(Vector256.LoadUnsafe(ref from, (nuint)i + 16).AsUInt32(), scale);
            Vector256.Narrow(low, high).AsByte().StoreUnsafe(ref to, (nuint)i);
        }

        Float8BlocksReference.Convert(source[i..], destination[i..], scale.Value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Convert(Vector256<uint> pair, Float8Scale scale)
    {
        Vector256<uint> magnitude = Vector256.Create(0x7FFF_0000u);
        Vector256<uint> low = Round((pair << 16) & magnitude, scale), high = Round(pair & magnitude, scale);
        Vector256<uint> codes = low + (high << 8) - Vector256.Create(RoundBias + (RoundBias << 8));
        return codes | ((pair >> 8) & Vector256.Create(0x80u)) | ((pair >> 16) & Vector256.Create(0x8000u));
    }

    /// <summary><see cref="Float8.FromSingle"/> of the quotient, without a branch and <see cref="RoundBias"/> too large.</summary>
    /// <remarks>
    /// With e the exponent, −6 at least, 2^(e + 20) is what it takes added so that the last bit of the sum counts 2^(e − 3), one step
    /// of the format: the addition rounds, to the nearest and ties to even, and what the sum has above it are the steps. 8 of them are a
    /// normal value's hidden bit, so that steps + 8 × (e + 6) are its bits, for subnormal values too. Nothing must be cut: the largest
    /// quotient is 448 or next to it, and what is below 464 rounds to 448 or less.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Round(Vector256<uint> magnitude, Float8Scale scale)
    {
        Vector256<float> value = magnitude.AsSingle();
        Vector256<uint> quotient = Vector256.FusedMultiplyAdd(value, Vector256.Create(scale.Inverse), value * Vector256.Create(scale.InverseRest)).AsUInt32();
        Vector256<uint> exponent = Vector256.Max(quotient & Vector256.Create(0x7F80_0000u), Vector256.Create(SmallestNormalBits));
        Vector256<uint> sum = (quotient.AsSingle() + (exponent + Vector256.Create(20u << 23)).AsSingle()).AsUInt32();
        return sum - exponent + (exponent >> 20);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Convert(Vector512<uint> pair, Float8Scale scale)
    {
        Vector512<uint> magnitude = Vector512.Create(0x7FFF_0000u);
        Vector512<uint> low = Round((pair << 16) & magnitude, scale), high = Round(pair & magnitude, scale);
        Vector512<uint> codes = low + (high << 8) - Vector512.Create(RoundBias + (RoundBias << 8));
        return codes | ((pair >> 8) & Vector512.Create(0x80u)) | ((pair >> 16) & Vector512.Create(0x8000u));
    }

    /// <inheritdoc cref="Round(Vector256{uint}, Float8Scale)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Round(Vector512<uint> magnitude, Float8Scale scale)
    {
        Vector512<float> value = magnitude.AsSingle();
        Vector512<uint> quotient = Vector512.FusedMultiplyAdd(value, Vector512.Create(scale.Inverse), value * Vector512.Create(scale.InverseRest)).AsUInt32();
        Vector512<uint> exponent = Vector512.Max(quotient & Vector512.Create(0x7F80_0000u), Vector512.Create(SmallestNormalBits));
        Vector512<uint> sum = (quotient.AsSingle() + (exponent + Vector512.Create(20u << 23)).AsSingle()).AsUInt32();
        return sum - exponent + (exponent >> 20);
    }
}
