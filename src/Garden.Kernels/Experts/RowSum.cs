using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>Single-precision sums of the elements that lie in 16 bytes of a combine row: eight of two bytes, or four of four.</summary>
public struct RowSum
{
    private float _a;
    private float _b;
    private float _c;
    private float _d;
    private float _e;
    private float _f;
    private float _g;
    private float _h;

    /// <summary>Adds weight × elements, each fused.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RowSum MultiplyAdd<TRouting>(Vector16 row, float weight, RowSum sum)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        RowSum value = Of<TRouting>(row);
        sum._a = RoundedMath.FusedMultiplyAdd(weight, value._a, sum._a);
        sum._b = RoundedMath.FusedMultiplyAdd(weight, value._b, sum._b);
        sum._c = RoundedMath.FusedMultiplyAdd(weight, value._c, sum._c);
        sum._d = RoundedMath.FusedMultiplyAdd(weight, value._d, sum._d);
        if (TRouting.CombineElementBytes == 2)
        {
            sum._e = RoundedMath.FusedMultiplyAdd(weight, value._e, sum._e);
            sum._f = RoundedMath.FusedMultiplyAdd(weight, value._f, sum._f);
            sum._g = RoundedMath.FusedMultiplyAdd(weight, value._g, sum._g);
            sum._h = RoundedMath.FusedMultiplyAdd(weight, value._h, sum._h);
        }

        return sum;
    }

    /// <summary>Adds elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RowSum Add<TRouting>(Vector16 row, RowSum sum)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        RowSum value = Of<TRouting>(row);
        sum._a = RoundedMath.Add(sum._a, value._a);
        sum._b = RoundedMath.Add(sum._b, value._b);
        sum._c = RoundedMath.Add(sum._c, value._c);
        sum._d = RoundedMath.Add(sum._d, value._d);
        if (TRouting.CombineElementBytes == 2)
        {
            sum._e = RoundedMath.Add(sum._e, value._e);
            sum._f = RoundedMath.Add(sum._f, value._f);
            sum._g = RoundedMath.Add(sum._g, value._g);
            sum._h = RoundedMath.Add(sum._h, value._h);
        }

        return sum;
    }

    /// <summary>The elements of 16 bytes, exactly.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RowSum Of<TRouting>(Vector16 row)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        RowSum value = default;
        if (TRouting.CombineElement == ExpertElement.Float32)
        {
            value._a = Interop.IntAsFloat(row.A);
            value._b = Interop.IntAsFloat(row.B);
            value._c = Interop.IntAsFloat(row.C);
            value._d = Interop.IntAsFloat(row.D);
        }
        else if (TRouting.CombineElement == ExpertElement.Float16)
        {
            value._a = NarrowFloat.LowHalf(row.A);
            value._b = NarrowFloat.LowHalf(row.A >> 16);
            value._c = NarrowFloat.LowHalf(row.B);
            value._d = NarrowFloat.LowHalf(row.B >> 16);
            value._e = NarrowFloat.LowHalf(row.C);
            value._f = NarrowFloat.LowHalf(row.C >> 16);
            value._g = NarrowFloat.LowHalf(row.D);
            value._h = NarrowFloat.LowHalf(row.D >> 16);
        }
        else
        {
            value._a = NarrowFloat.LowBFloat16(row.A);
            value._b = NarrowFloat.HighBFloat16(row.A);
            value._c = NarrowFloat.LowBFloat16(row.B);
            value._d = NarrowFloat.HighBFloat16(row.B);
            value._e = NarrowFloat.LowBFloat16(row.C);
            value._f = NarrowFloat.HighBFloat16(row.C);
            value._g = NarrowFloat.LowBFloat16(row.D);
            value._h = NarrowFloat.HighBFloat16(row.D);
        }

        return value;
    }

    /// <summary>The sums as elements, each rounded once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector16 Round<TRouting>(RowSum sum)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        if (TRouting.CombineElement == ExpertElement.Float32)
        {
            return new Vector16
            {
                A = Interop.FloatAsInt(sum._a),
                B = Interop.FloatAsInt(sum._b),
                C = Interop.FloatAsInt(sum._c),
                D = Interop.FloatAsInt(sum._d),
            };
        }

        if (TRouting.CombineElement == ExpertElement.Float16)
        {
            return new Vector16
            {
                A = NarrowFloat.PackHalf(sum._a, sum._b),
                B = NarrowFloat.PackHalf(sum._c, sum._d),
                C = NarrowFloat.PackHalf(sum._e, sum._f),
                D = NarrowFloat.PackHalf(sum._g, sum._h),
            };
        }

        return new Vector16
        {
            A = NarrowFloat.PackBFloat16(sum._a, sum._b),
            B = NarrowFloat.PackBFloat16(sum._c, sum._d),
            C = NarrowFloat.PackBFloat16(sum._e, sum._f),
            D = NarrowFloat.PackBFloat16(sum._g, sum._h),
        };
    }
}
