using Garden.Experts;

namespace Garden.Kernels.Tests.Experts.Model;

/// <summary>
/// A binary floating-point format, by its definition: numbers are multiples of a power of two that grows with their exponent. In
/// double precision throughout, so that it shares nothing with the kernels' bit arithmetic.
/// </summary>
public sealed record FloatFormat(int Bits, int FractionBits, int LeastExponent, double Largest, bool Saturates, uint NotANumber)
{
    public static readonly FloatFormat BFloat16 = new(16, 7, -126, 255 * Math.ScaleB(1, 120), false, 0x7FFF);
    public static readonly FloatFormat Half = new(16, 10, -14, 65504, false, 0x7FFF);
    public static readonly FloatFormat Float8 = new(8, 3, -6, 448, true, 0x7F);

    /// <summary>The format of a two-byte or one-byte element.</summary>
    public static FloatFormat Of(ExpertElement element) => element switch
    {
        ExpertElement.BFloat16 => BFloat16,
        ExpertElement.Float16 => Half,
        ExpertElement.Float8E4M3 => Float8,
        _ => throw new ArgumentOutOfRangeException(nameof(element), element, "Single precision needs no format."),
    };

    /// <summary>The bits of the nearest number, ties to even.</summary>
    public uint Encode(double value)
    {
        if (double.IsNaN(value))
            return NotANumber;
        uint sign = double.IsNegative(value) ? 1u << (Bits - 1) : 0;
        double magnitude = Math.Abs(value);
        uint largest = Codes(Largest);
        if (double.IsInfinity(magnitude))
            return sign | (Saturates ? largest : largest + 1);
        double unit = Unit(magnitude), rounded = Math.Round(magnitude / unit, MidpointRounding.ToEven) * unit;
        if (rounded > Largest)
            return sign | (Saturates ? largest : largest + 1);
        return sign | Codes(rounded);
    }

    /// <summary>The number that bits stand for.</summary>
    public double Decode(uint bits)
    {
        uint codes = bits & ((1u << (Bits - 1)) - 1);
        double magnitude = codes > Codes(Largest) ? (!Saturates && codes == Codes(Largest) + 1 ? double.PositiveInfinity : double.NaN) : Magnitude(codes);
        return (bits >> (Bits - 1)) != 0 ? -magnitude : magnitude;
    }

    private double Unit(double magnitude) =>
        Math.ScaleB(1, Math.Max(magnitude == 0 ? LeastExponent : Math.ILogB(magnitude), LeastExponent) - FractionBits);

    /// <summary>Codes count the numbers of the format from 0 on, exponent by exponent.</summary>
    private uint Codes(double magnitude)
    {
        double unit = Unit(magnitude);
        int exponent = Math.ILogB(unit) + FractionBits;
        return (uint)(magnitude / unit) + (uint)((exponent - LeastExponent) << FractionBits);
    }

    private double Magnitude(uint codes)
    {
        int exponent = Math.Max(0, (int)(codes >> FractionBits) - 1);
        return (codes - ((uint)exponent << FractionBits)) * Math.ScaleB(1, exponent + LeastExponent - FractionBits);
    }
}
