using System.Runtime.CompilerServices;

namespace Garden;

/// <summary>
/// Units: what engine-allocated counters count. A canonical run (one page, one row block, one contiguous range, before
/// any coalescing or splitting) of n bytes is max(1, ceil(n / 64 KiB)) units, so a receiver knows what to expect from the
/// destination ranges alone.
/// </summary>
public static class TransferUnits
{
    /// <summary>Bytes per unit. Writes are split at multiples of it only, so a piece always carries at least one unit.</summary>
    public const int BytesPerUnit = 1 << Shift;

    /// <summary>The most units one write carries: the ten low bits of a counter's immediate.</summary>
    public const int MaxPerWrite = 1023;

    /// <summary>The most bytes one write of a counted transfer carries, about 64 MiB.</summary>
    public const long MaxBytesPerWrite = (long)MaxPerWrite * BytesPerUnit;

    private const int Shift = 16;

    /// <summary>Units of one run of <paramref name="length"/> bytes; a run of zero bytes is one unit.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is negative.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long OfRun(long length)
    {
        if (length < 0)
            ThrowHelper.ThrowNegative(nameof(length), length);
        return length == 0 ? 1 : ((length - 1) >> Shift) + 1;
    }
}
