namespace Garden.Weights;

/// <summary>A block's scale, and its inverse in two parts, with which a quotient is a product.</summary>
/// <remarks>
/// x / scale = x × (Inverse + InverseRest), all but about 2⁻⁴⁸ of it. The e4m3 value nearest to that product, rounded to a single by a fused
/// multiplication and addition, is the one nearest to the rounded quotient: a test tries every bfloat16 value below every largest
/// magnitude (a scale has one of 128 significands, and the rest of it is a power of two). Dividing would take most of the time.
/// </remarks>
internal readonly struct Float8Scale
{
    // bfloat16 bits of 2^-64 and 2^64: no part of the inverse, and no product that matters, is subnormal or infinite between them.
    private const uint Least = (127 - 64) << 7;
    private const uint Most = (127 + 64) << 7;

    /// <param name="value">The scale.</param>
    /// <param name="isFast">True when all elements are finite and the largest magnitude is <see cref="Covers">covered</see>.</param>
    public Float8Scale(float value, bool isFast)
    {
        (Value, IsFast) = (value, isFast);
        if (!isFast)
            return;
        Inverse = 1 / value;
        InverseRest = MathF.FusedMultiplyAdd(-value, Inverse, 1) * Inverse;
    }

    /// <summary>The scale.</summary>
    public float Value { get; }

    /// <summary>True when the inverse may be used.</summary>
    public bool IsFast { get; }

    public float Inverse { get; }

    public float InverseRest { get; }

    /// <summary>True when a block with this largest magnitude, in bfloat16 bits, has an inverse that may be used.</summary>
    public static bool Covers(uint largest) => largest is 0 or (>= Least and < Most);
}
