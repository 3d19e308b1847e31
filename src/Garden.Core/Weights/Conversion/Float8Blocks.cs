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
        for (int first = 0; first < columns; first += Size)
        {
            int width = Math.Min(Size, columns - first);
            float scale = ScaleOf(LargestFinite(source, rows, columns, first, width));
            scales[first / Size] = scale;
            for (int row = 0; row < rows; row++)
            {
                int start = (row * columns) + first;
                Convert(source.Slice(start, width), destination.Slice(start, width), scale);
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

    private static uint LargestFinite(ReadOnlySpan<ushort> source, int rows, int columns, int first, int width)
    {
        Vector256<ushort> largest = default;
        uint rest = 0;
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<ushort> elements = source.Slice((row * columns) + first, width);
            ref ushort element = ref MemoryMarshal.GetReference(elements);
            int i = 0;
            // Safe: a vector of 16 is read only where 16 elements are left of the slice.
            for (; i <= width - Vector256<ushort>.Count; i += Vector256<ushort>.Count)
            {
                Vector256<ushort> magnitude = Vector256.LoadUnsafe(ref element, (nuint)i) & Vector256.Create((ushort)0x7FFF);
                largest = Vector256.Max(largest, Vector256.LessThan(magnitude, Vector256.Create((ushort)0x7F80)) & magnitude);
            }

            for (; i < width; i++)
                rest = Math.Max(rest, FiniteMagnitude(elements[i]));
        }

        for (int lane = 0; lane < Vector256<ushort>.Count; lane++)
            rest = Math.Max(rest, largest[lane]);
        return rest;
    }

    internal static uint FiniteMagnitude(ushort bits)
    {
        uint magnitude = bits & 0x7FFFu;
        return magnitude < 0x7F80 ? magnitude : 0;
    }

    private static void Convert(ReadOnlySpan<ushort> source, Span<byte> destination, float scale)
    {
        ref ushort from = ref MemoryMarshal.GetReference(source);
        ref byte to = ref MemoryMarshal.GetReference(destination);
        Vector256<float> divisor = Vector256.Create(scale);
        int i = 0;
        // Safe: 32 elements are read and written only where 32 are left of both slices, which have one length.
        for (; i <= source.Length - 32; i += 32)
        {
            Vector256<ushort> low = Vector256.LoadUnsafe(ref from, (nuint)i), high = Vector256.LoadUnsafe(ref from, (nuint)i + 16);
            (Vector256<uint> a, Vector256<uint> b) = Vector256.Widen(low);
            (Vector256<uint> c, Vector256<uint> d) = Vector256.Widen(high);
            Vector256<ushort> first = Vector256.Narrow(Round(a, divisor), Round(b, divisor));
            Vector256<ushort> second = Vector256.Narrow(Round(c, divisor), Round(d, divisor));
            Vector256.Narrow(first, second).StoreUnsafe(ref to, (nuint)i);
        }

        for (; i < source.Length; i++)
            destination[i] = Float8.FromSingle(BitConverter.UInt32BitsToSingle((uint)source[i] << 16) / scale);
    }

    /// <summary><see cref="Float8.FromSingle"/> of eight quotients at once: all branches are computed and the right one chosen.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Round(Vector256<uint> bfloat16, Vector256<float> scale)
    {
        Vector256<uint> bits = ((bfloat16 << 16).AsSingle() / scale).AsUInt32();
        Vector256<uint> magnitude = bits & Vector256.Create(0x7FFF_FFFFu);
        Vector256<uint> sign = (bits >> 24) & Vector256.Create(0x80u);
        Vector256<uint> subnormal = (magnitude.AsSingle() + Vector256.Create(16384f)).AsUInt32() & Vector256.Create(0xFFu);
        Vector256<uint> clamped = Vector256.Min(magnitude, Vector256.Create(0x43E0_0000u));
        Vector256<uint> normal = ((clamped + Vector256.Create(0x7_FFFFu) + ((clamped >> 20) & Vector256<uint>.One)) >> 20) - Vector256.Create(120u << 3);
        Vector256<uint> value = Vector256.ConditionalSelect(Vector256.LessThan(magnitude, Vector256.Create(0x3C80_0000u)), subnormal, normal);
        Vector256<uint> isNaN = Vector256.GreaterThan(magnitude, Vector256.Create(0x7F80_0000u));
        return sign | Vector256.ConditionalSelect(isNaN, Vector256.Create((uint)Float8.NaN), value);
    }
}
