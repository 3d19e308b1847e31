using System.Runtime.CompilerServices;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>What a lane moves of a row at a time, where a warp moves the row: eight pieces, a warp's width apart, all on their way before the first is stored.</summary>
internal struct RowChunk
{
    /// <summary>Pieces.</summary>
    public const int Pieces = 8;

    private Vector16 _a;
    private Vector16 _b;
    private Vector16 _c;
    private Vector16 _d;
    private Vector16 _e;
    private Vector16 _f;
    private Vector16 _g;
    private Vector16 _h;

    /// <summary>Loads the pieces from <paramref name="at"/> on, those before <paramref name="end"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RowChunk Load(ulong row, int at, int end)
    {
        int step = Warp.WarpSize;
        ulong from = row + ((ulong)(uint)at * 16), stride = (ulong)(uint)step * 16;
        RowChunk chunk = default;
        if (at < end)
            chunk._a = GlobalMemory.Load16(from);
        if (at + step < end)
            chunk._b = GlobalMemory.Load16(from + stride);
        if (at + (2 * step) < end)
            chunk._c = GlobalMemory.Load16(from + (2 * stride));
        if (at + (3 * step) < end)
            chunk._d = GlobalMemory.Load16(from + (3 * stride));
        if (at + (4 * step) < end)
            chunk._e = GlobalMemory.Load16(from + (4 * stride));
        if (at + (5 * step) < end)
            chunk._f = GlobalMemory.Load16(from + (5 * stride));
        if (at + (6 * step) < end)
            chunk._g = GlobalMemory.Load16(from + (6 * stride));
        if (at + (7 * step) < end)
            chunk._h = GlobalMemory.Load16(from + (7 * stride));
        return chunk;
    }

    /// <summary>Stores them at the same places of another row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(RowChunk chunk, ulong row, int at, int end)
    {
        int step = Warp.WarpSize;
        ulong to = row + ((ulong)(uint)at * 16), stride = (ulong)(uint)step * 16;
        if (at < end)
            GlobalMemory.Store16(to, chunk._a);
        if (at + step < end)
            GlobalMemory.Store16(to + stride, chunk._b);
        if (at + (2 * step) < end)
            GlobalMemory.Store16(to + (2 * stride), chunk._c);
        if (at + (3 * step) < end)
            GlobalMemory.Store16(to + (3 * stride), chunk._d);
        if (at + (4 * step) < end)
            GlobalMemory.Store16(to + (4 * stride), chunk._e);
        if (at + (5 * step) < end)
            GlobalMemory.Store16(to + (5 * stride), chunk._f);
        if (at + (6 * step) < end)
            GlobalMemory.Store16(to + (6 * stride), chunk._g);
        if (at + (7 * step) < end)
            GlobalMemory.Store16(to + (7 * stride), chunk._h);
    }
}
