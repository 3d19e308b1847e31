using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace Garden.Kernels;

/// <summary>
/// Single-precision arithmetic with one rounding to nearest even an operation, for kernels whose results must be the same on every
/// device: what a compiler may contract or approximate is written out.
/// </summary>
public static class RoundedMath
{
    /// <summary>left + right.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Add(float left, float right)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("add.rn.f32 %0, %1, %2;", out float sum, left, right);
            return sum;
        }

        return left + right;
    }

    /// <summary>left × right.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Multiply(float left, float right)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("mul.rn.f32 %0, %1, %2;", out float product, left, right);
            return product;
        }

        return left * right;
    }

    /// <summary>left ÷ right.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Divide(float left, float right)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("div.rn.f32 %0, %1, %2;", out float quotient, left, right);
            return quotient;
        }

        return left / right;
    }

    /// <summary>left × right + addend, rounded once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float FusedMultiplyAdd(float left, float right, float addend)
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("fma.rn.f32 %0, %1, %2, %3;", out float result, left, right, addend);
            return result;
        }

        return FusedOnCpu(left, right, addend);
    }

    /// <summary>
    /// The runtime's own function would be an unresolved one in PTX, even in a branch that is never taken. The product is exact in double
    /// precision; the sum is rounded to odd there, so that rounding it again to single precision cannot go wrong.
    /// </summary>
    private static float FusedOnCpu(float left, float right, float addend)
    {
        double product = (double)left * right, sum = product + addend;
        double part = sum - product, error = (product - (sum - part)) + (addend - part);
        ulong bits = Interop.FloatAsInt(sum);
        if ((error > 0 || error < 0) && (bits & 1) == 0)
            bits = error > 0 == sum > 0 ? bits + 1 : bits - 1;
        return (float)Interop.IntAsFloat(bits);
    }
}
