namespace ExpertParallel;

/// <summary>The narrow formats on the host.</summary>
internal static class Numbers
{
    private static readonly float[] s_float8 = [.. Enumerable.Range(0, 256).Select(static code => Float8((byte)code))];

    public static float FromBFloat16(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    public static float FromFloat8(byte code) => s_float8[code];

    /// <summary>Rounded to nearest even.</summary>
    public static ushort ToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    private static float Float8(byte code)
    {
        int exponent = (code >> 3) & 15, fraction = code & 7;
        double magnitude = exponent == 0 ? fraction * Math.ScaleB(1, -9) : (8 + fraction) * Math.ScaleB(1, exponent - 10);
        return (float)((code & 0x80) != 0 ? -magnitude : magnitude);
    }
}
