using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace Garden.Kernels;

/// <summary>
/// bfloat16, IEEE half and FP8 e4m3 as bits, for kernels: to single precision exactly, from it rounded to nearest even. The same bits
/// on every device. A NaN becomes the format's canonical one (0x7FFF, 0x7FFF, 0x7F); e4m3 saturates at ±448, infinities too, the
/// others overflow to infinity.
/// </summary>
public static class NarrowFloat
{
    /// <summary>The largest e4m3 number.</summary>
    public const float Float8Max = 448f;

    private const uint Infinity = 0x7F80_0000;
    private const float ToInteger = 8_388_608f;

    /// <summary>The bfloat16 in the lower half of a word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LowBFloat16(uint word) => Interop.IntAsFloat(word << 16);

    /// <summary>The bfloat16 in the upper half of a word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float HighBFloat16(uint word) => Interop.IntAsFloat(word & 0xFFFF_0000);

    /// <summary>Two bfloat16 in a word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint PackBFloat16(float low, float high)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("cvt.rn.bf16x2.f32 %0, %1, %2;", out uint word, high, low);
            return word;
        }

        return BFloat16(low) | (BFloat16(high) << 16);
    }

    /// <summary>The half in the lower 16 bits of a word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LowHalf(uint word)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("{ .reg .b16 h; cvt.u16.u32 h, %1; cvt.f32.f16 %0, h; }", out float value, word);
            return value;
        }

        uint sign = (word & 0x8000) << 16, exponent = (word >> 10) & 31, fraction = word & 0x3FF;
        if (exponent == 31)
            return Interop.IntAsFloat(sign | Infinity | (fraction << 13));
        // Below 2⁻¹⁴ a half is a multiple of 2⁻²⁴.
        uint magnitude = exponent == 0 ? Interop.FloatAsInt(fraction * 5.9604645e-8f) : ((exponent + 112) << 23) | (fraction << 13);
        return Interop.IntAsFloat(sign | magnitude);
    }

    /// <summary>Two halves in a word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint PackHalf(float low, float high)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("cvt.rn.f16x2.f32 %0, %1, %2;", out uint word, high, low);
            return word;
        }

        return Half(low) | (Half(high) << 16);
    }

    /// <summary>Four e4m3 in a word, the first in its lowest byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint PackFloat8(float a, float b, float c, float d)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit(
                "{ .reg .b16 l, h; cvt.rn.satfinite.e4m3x2.f32 l, %2, %1; cvt.rn.satfinite.e4m3x2.f32 h, %4, %3; mov.b32 %0, {l, h}; }",
                out uint word, a, b, c, d);
            return word;
        }

        return Float8(a) | (Float8(b) << 8) | (Float8(c) << 16) | (Float8(d) << 24);
    }

    private static uint BFloat16(float value)
    {
        uint bits = Interop.FloatAsInt(value);
        if ((bits & 0x7FFF_FFFF) > Infinity)
            return 0x7FFF;
        return (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    }

    private static uint Half(float value)
    {
        uint bits = Interop.FloatAsInt(value), sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7FFF_FFFF;
        if (magnitude > Infinity)
            return 0x7FFF;
        // From 65520 on the nearest is infinity.
        if (magnitude >= 0x477F_F000)
            return sign | 0x7C00;
        if (magnitude < 0x3880_0000)
            return sign | (uint)(((Interop.IntAsFloat(magnitude) * 16_777_216f) + ToInteger) - ToInteger);
        return sign | (((magnitude + 0xFFF + ((magnitude >> 13) & 1)) >> 13) - (112 << 10));
    }

    private static uint Float8(float value)
    {
        uint bits = Interop.FloatAsInt(value), sign = (bits >> 24) & 0x80, magnitude = bits & 0x7FFF_FFFF;
        if (magnitude > Infinity)
            return 0x7F;
        if (magnitude >= 0x43E0_0000)
            return sign | 0x7E;
        // Below 2⁻⁶ an e4m3 is a multiple of 2⁻⁹; eight of them are the code of 2⁻⁶ itself.
        if (magnitude < 0x3C80_0000)
            return sign | (uint)(((Interop.IntAsFloat(magnitude) * 512f) + ToInteger) - ToInteger);
        return sign | (((magnitude + 0x7_FFFF + ((magnitude >> 20) & 1)) >> 20) - (120 << 3));
    }
}
