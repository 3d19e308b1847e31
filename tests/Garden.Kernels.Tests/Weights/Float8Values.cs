namespace Garden.Kernels.Tests.Weights;

/// <summary>bfloat16 inputs of the kinds that a conversion treats differently.</summary>
internal static class Float8Values
{
    public const int Kinds = 7;
    public const int LikeWeights = 0;
    public const int AnyBits = 1;

    /// <summary>Like weights; any bits; zeros and subnormals; huge and infinite; zeros of both signs; below 2⁻⁶⁴; above 2⁶⁴.</summary>
    public static ushort[] Of(int count, int seed, int kind)
    {
        var random = new Random(seed);
        var values = new ushort[count];
        for (int i = 0; i < count; i++)
        {
            int sign = random.Next(2) << 15;
            values[i] = (ushort)(sign | kind switch
            {
                LikeWeights => (int)(BitConverter.SingleToUInt32Bits(random.NextSingle() * 0.1f) >> 16),
                AnyBits => random.Next(1 << 15),
                2 => random.Next(4) == 0 ? random.Next(256) : 0,
                3 => 0x7F00 + random.Next(0x81),
                4 => 0,
                5 => random.Next((127 - 64) << 7),
                _ => random.Next(0x7F80),
            });
        }

        return values;
    }
}
