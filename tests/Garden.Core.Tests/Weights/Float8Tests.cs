using System.Runtime.InteropServices;
using Garden.Testing;
using Garden.Weights;

namespace Garden.Core.Tests.Weights;

public sealed class Float8Tests
{
    /// <summary>All e4m3 values of one sign, by their definition: (−1)^s × 2^(e−7) × 1.m, or 2^(−6) × 0.m where e is 0.</summary>
    private static readonly double[] s_values = [.. Enumerable.Range(0, 127).Select(bits => bits < 8 ? bits / 512.0 : Math.Pow(2, (bits >> 3) - 7) * (1 + ((bits & 7) / 8.0)))];

    [Fact]
    public void Every_bit_pattern_has_its_value_and_comes_back()
    {
        for (int bits = 0; bits < 127; bits++)
        {
            Assert.Equal(s_values[bits], Float8.ToSingle((byte)bits));
            Assert.Equal(-s_values[bits], Float8.ToSingle((byte)(bits | 0x80)));
            Assert.Equal(bits, Float8.FromSingle((float)s_values[bits]));
            Assert.Equal(bits | 0x80, Float8.FromSingle(-(float)s_values[bits]));
        }

        Assert.True(float.IsNaN(Float8.ToSingle(0x7F)) && float.IsNaN(Float8.ToSingle(0xFF)));
    }

    [Fact]
    public void All_bfloat16_values_round_to_the_nearest_ties_to_even()
    {
        for (int bits = 0; bits <= ushort.MaxValue; bits++)
            AssertNearest(BitConverter.UInt32BitsToSingle((uint)bits << 16));
    }

    [Fact]
    public void Singles_round_to_the_nearest_around_every_tie()
    {
        for (int i = 0; i < s_values.Length - 1; i++)
        {
            float tie = (float)((s_values[i] + s_values[i + 1]) / 2);
            foreach (float value in (float[])[tie, MathF.BitIncrement(tie), MathF.BitDecrement(tie), -tie])
                AssertNearest(value);
        }

        Gen.Single.Sample(AssertNearest, threads: 1);
    }

    /// <summary>Vector lanes, tails and every kind of value; the reference is one element after the other.</summary>
    [Fact]
    public void The_vectorised_conversion_has_the_references_bits() =>
        Gen.Select(Gen.Int[1, 128], Gen.Int[1, 400], Gen.Int, Gen.Int[0, 3]).Sample(
            (rows, columns, seed, kind) =>
            {
                ushort[] source = Values(rows * columns, seed, kind);
                int blocks = (int)Float8Blocks.ScalesOf(1, columns);
                byte[] actual = new byte[source.Length], expected = new byte[source.Length];
                float[] scales = new float[blocks], expectedScales = new float[blocks];
                Float8Blocks.ConvertRow(source, rows, columns, actual, scales);
                Float8BlocksReference.ConvertRow(source, rows, columns, expected, expectedScales);
                Assert.Equal(expected, actual);
                Assert.Equal(Bits(expectedScales), Bits(scales));
            },
            iter: 400,
            threads: 1);

    [Fact]
    public void All_bfloat16_values_are_converted_alike()
    {
        ushort[] source = [.. Enumerable.Range(0, 1 << 16).Select(bits => (ushort)bits)];
        byte[] actual = new byte[source.Length], expected = new byte[source.Length];
        float[] scales = new float[4], expectedScales = new float[4];
        Float8Blocks.ConvertRow(source, 128, 512, actual, scales);
        Float8BlocksReference.ConvertRow(source, 128, 512, expected, expectedScales);
        Assert.Equal(expected, actual);
        Assert.Equal(Bits(expectedScales), Bits(scales));
    }

    /// <summary>The conversion multiplies where the reference divides: every value that does not round to zero, below every largest magnitude.</summary>
    [Fact]
    public void Products_round_like_quotients_for_every_largest_magnitude()
    {
        const int Rows = 32, Columns = 128;
        ushort[] source = new ushort[Rows * Columns];
        byte[] actual = new byte[source.Length], expected = new byte[source.Length];
        float[] scales = new float[1], expectedScales = new float[1];
        foreach (int exponent in (int[])[32, 62, 63, 64, 120, 127, 190, 191, 254])
        {
            for (int significand = 0; significand < 128; significand++)
            {
                int largest = (exponent << 7) | significand;
                for (int i = 0; i < source.Length; i++)
                    source[i] = (ushort)((largest - i) | ((i & 1) << 15));
                Float8Blocks.ConvertRow(source, Rows, Columns, actual, scales);
                Float8BlocksReference.ConvertRow(source, Rows, Columns, expected, expectedScales);
                Assert.True(expected.AsSpan().SequenceEqual(actual), $"largest magnitude 0x{largest:x4}: element {expected.AsSpan().CommonPrefixLength(actual)}");
                Assert.Equal(Bits(expectedScales), Bits(scales));
            }
        }
    }

    [Fact]
    public void Scales_come_from_finite_elements_and_zero_blocks_have_scale_1()
    {
        ushort one = 0x3F80, two = 0x4000, infinity = 0x7F80, minusInfinity = 0xFF80, nan = 0x7FC0, minusZero = 0x8000;
        ushort[] source = [one, 0xC000, infinity, minusInfinity, nan, 0, minusZero, two];
        byte[] elements = new byte[8];
        float[] scales = new float[1];
        Float8Blocks.ConvertRow(source, 1, 8, elements, scales);
        Assert.Equal(2f / 448, scales[0]);
        Assert.Equal([0x76, 0xFE, 0x7E, 0xFE, 0x7F, 0x00, 0x80, 0x7E], elements);
        Float8Blocks.ConvertRow([0, minusZero, infinity, nan], 1, 4, elements.AsSpan(0, 4), scales);
        Assert.Equal(1, scales[0]);
        Assert.Equal([0x00, 0x80, 0x7E, 0x7F], elements[..4]);
    }

    [Fact]
    public void Elements_times_scales_are_what_they_were_within_the_formats_precision()
    {
        ushort[] source = Values(128 * 256, 5, 0);
        byte[] elements = new byte[source.Length];
        float[] scales = new float[2];
        Float8Blocks.ConvertRow(source, 128, 256, elements, scales);
        for (int i = 0; i < source.Length; i++)
        {
            float value = BitConverter.UInt32BitsToSingle((uint)source[i] << 16), scale = scales[i % 256 / 128];
            // Half a step of 3 mantissa bits, or of the smallest subnormal.
            Assert.InRange(Float8.ToSingle(elements[i]) * scale, value - Error(value, scale), value + Error(value, scale));
        }

        static float Error(float value, float scale) => (MathF.Abs(value) / 16 * 1.001f) + (scale / 1024 * 1.001f);
    }

    [Fact]
    public void Converting_allocates_nothing_and_refuses_spans_of_other_lengths()
    {
        ushort[] source = Values(128 * 256, 5, 0);
        byte[] elements = new byte[source.Length];
        float[] scales = new float[2];
        Assert.Equal(0, Allocations.Least(() => Float8Blocks.ConvertRow(source, 128, 256, elements, scales)));
        Assert.Throws<ArgumentOutOfRangeException>(() => Float8Blocks.ConvertRow(source, 129, 256, elements, scales));
        Assert.Throws<ArgumentOutOfRangeException>(() => Float8Blocks.ConvertRow(source, 127, 256, elements, scales));
        Assert.Throws<ArgumentOutOfRangeException>(() => Float8Blocks.ConvertRow(source, 128, 256, elements.AsSpan(1), scales));
        Assert.Throws<ArgumentOutOfRangeException>(() => Float8Blocks.ConvertRow(source, 128, 256, elements, scales.AsSpan(1)));
    }

    private static int[] Bits(float[] values) => MemoryMarshal.Cast<float, int>(values).ToArray();

    /// <summary>Kind 0: like weights; 1: any bits; 2: mostly zero with subnormals; 3: large and infinite.</summary>
    private static ushort[] Values(int count, int seed, int kind)
    {
        var random = new Random(seed);
        ushort[] values = new ushort[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = kind switch
            {
                0 => (ushort)(BitConverter.SingleToUInt32Bits((float)((random.NextDouble() - 0.5) * 0.1)) >> 16),
                1 => (ushort)random.Next(1 << 16),
                2 => (ushort)(random.Next(4) == 0 ? random.Next(256) | (random.Next(2) << 15) : 0),
                _ => (ushort)(0x7F00 + random.Next(0x81) + (random.Next(2) << 15)),
            };
        }

        return values;
    }

    private static void AssertNearest(float value)
    {
        byte bits = Float8.FromSingle(value);
        if (float.IsNaN(value))
        {
            Assert.Equal(Float8.NaN, bits & 0x7F);
            return;
        }

        double magnitude = Math.Min(Math.Abs((double)value), Float8.MaxValue);
        int nearest = Array.BinarySearch(s_values, magnitude);
        if (nearest < 0)
        {
            int above = ~nearest, below = above - 1;
            double up = s_values[above] - magnitude, down = magnitude - s_values[below];
            nearest = up < down ? above : down < up ? below : (below & 1) == 0 ? below : above;
        }

        Assert.Equal((float.IsNegative(value) ? 0x80 : 0) | nearest, bits);
    }
}
