using System.Runtime.CompilerServices;

namespace Garden.Weights;

/// <summary>FP8 e4m3 (the variant without infinities, "fn"): 1 sign, 4 exponent and 3 mantissa bits, bias 7, largest value 448, 0x7F is NaN.</summary>
public static class Float8
{
    /// <summary>The largest finite value.</summary>
    public const float MaxValue = 448;

    /// <summary>Not a number; with the sign bit 0xFF.</summary>
    public const byte NaN = 0x7F;

    /// <summary>The bits of the largest finite value.</summary>
    public const byte MaxBits = 0x7E;

    private const uint SignBit = 0x8000_0000;
    private const uint InfinityBits = 0x7F80_0000;

    /// <summary>2⁻⁶, the smallest normal value, as a single.</summary>
    private const uint SmallestNormalBits = 0x3C80_0000;

    /// <summary>2¹⁴ as a single: what it takes added so that the last bit of the sum counts 2⁻⁹, the step of subnormal values.</summary>
    private const float SubnormalShift = 16384;

    /// <summary>Rounds to the nearest value, ties to the even one; what is too large becomes ±448, NaN stays NaN with its sign. As <c>cvt.rn.satfinite.e4m3</c>.</summary>
    public static byte FromSingle(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        uint sign = (bits & SignBit) >> 24;
        uint magnitude = bits & ~SignBit;
        if (magnitude > InfinityBits)
            return (byte)(sign | NaN);
        if (magnitude >= 0x43E0_0000) // 448
            return (byte)(sign | MaxBits);
        if (magnitude < SmallestNormalBits)
            return (byte)(sign | (BitConverter.SingleToUInt32Bits(BitConverter.UInt32BitsToSingle(magnitude) + SubnormalShift) & 0xFF));
        // Half of what is cut off, a little less where the kept part is even; then the exponent's bias goes from 127 to 7.
        uint rounded = magnitude + 0x7_FFFF + ((magnitude >> 20) & 1);
        return (byte)(sign | ((rounded >> 20) - (120 << 3)));
    }

    /// <summary>The value, exactly.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToSingle(byte bits)
    {
        int exponent = (bits >> 3) & 15, mantissa = bits & 7;
        float magnitude = (bits & 0x7F) == NaN ? float.NaN
            : exponent == 0 ? mantissa / 512f
            : BitConverter.UInt32BitsToSingle((uint)(((exponent + 120) << 23) | (mantissa << 20)));
        return (bits & 0x80) != 0 ? -magnitude : magnitude;
    }
}
