using ILGPU;

namespace Garden.Kernels.Tests.Kernels;

/// <summary>Arguments of <see cref="NarrowFloatKernel"/>.</summary>
public struct NarrowFloatArgs
{
    public ulong Source;

    public ulong Destination;

    public int Count;
}

/// <summary>Kernels that convert and calculate, element by element.</summary>
public static unsafe class NarrowFloatKernel
{
    /// <summary>16 bits to three singles: bfloat16 in the lower half, in the upper half, half.</summary>
    public static void Widen(NarrowFloatArgs arguments)
    {
        for (int i = (Grid.IdxX * Group.DimX) + Group.IdxX; i < arguments.Count; i += Grid.DimX * Group.DimX)
        {
            uint word = ((uint*)arguments.Source)[i];
            float* results = (float*)arguments.Destination + (3 * i);
            results[0] = NarrowFloat.LowBFloat16(word | 0xABCD_0000);
            results[1] = NarrowFloat.HighBFloat16((word << 16) | 0xABCD);
            results[2] = NarrowFloat.LowHalf(word | 0xABCD_0000);
        }
    }

    /// <summary>A single to bfloat16, half and e4m3; what is packed beside it must not show.</summary>
    public static void Narrow(NarrowFloatArgs arguments)
    {
        for (int i = (Grid.IdxX * Group.DimX) + Group.IdxX; i < arguments.Count; i += Grid.DimX * Group.DimX)
        {
            float value = ((float*)arguments.Source)[i];
            uint* results = (uint*)arguments.Destination + (3 * i);
            results[0] = Both(NarrowFloat.PackBFloat16(value, 1f), NarrowFloat.PackBFloat16(1f, value));
            results[1] = Both(NarrowFloat.PackHalf(value, 1f), NarrowFloat.PackHalf(1f, value));
            uint first = NarrowFloat.PackFloat8(value, 1f, value, 2f), second = NarrowFloat.PackFloat8(1f, value, 2f, value);
            uint byTwo = first & 0x00FF_00FF, odd = (second >> 8) & 0x00FF_00FF;
            results[2] = byTwo == odd && (byTwo >> 16) == (byTwo & 0xFF) ? byTwo & 0xFF : uint.MaxValue;
        }
    }

    /// <summary>Three singles to their sum, product, quotient and fused product and sum.</summary>
    public static void Arithmetic(NarrowFloatArgs arguments)
    {
        for (int i = (Grid.IdxX * Group.DimX) + Group.IdxX; i < arguments.Count; i += Grid.DimX * Group.DimX)
        {
            float* values = (float*)arguments.Source + (3 * i);
            float* results = (float*)arguments.Destination + (4 * i);
            results[0] = RoundedMath.Add(values[0], values[1]);
            results[1] = RoundedMath.Multiply(values[0], values[1]);
            results[2] = RoundedMath.Divide(values[0], values[1]);
            results[3] = RoundedMath.FusedMultiplyAdd(values[0], values[1], values[2]);
        }
    }

    private static uint Both(uint low, uint high) => (low & 0xFFFF) == high >> 16 ? high >> 16 : uint.MaxValue;
}
