using System.Diagnostics.CodeAnalysis;

namespace Garden;

/// <summary>Cold throws, kept out of the methods that check.</summary>
internal static class ThrowHelper
{
    [DoesNotReturn]
    public static void ThrowNegative(string name, long value) =>
        throw new ArgumentOutOfRangeException(name, value, "The value must be 0 or more.");

    [DoesNotReturn]
    public static void ThrowImmediateNumber(uint number) =>
        throw new ArgumentOutOfRangeException(nameof(number), number, "A user's immediate is 1 … 2147483647; 0 is reserved for \"no immediate\" (use Immediate.None).");

    [DoesNotReturn]
    public static void ThrowListDisposed() =>
        throw new ObjectDisposedException(nameof(PageList), "The native list behind this handle was disposed; keep its owner alive until the request is submitted.");

    [DoesNotReturn]
    public static void ThrowNegativePage(int page, int index) =>
        throw new PlanException($"Page index {page} at position {index} is negative; page indices are 0 or more.");

    [DoesNotReturn]
    public static void ThrowRange(string what, long offset, long length, long available) =>
        throw new PlanException($"The range [{offset}, {offset} + {length}) lies outside {what}, which has {available} bytes; correct the offset or the length.");

    [DoesNotReturn]
    public static void ThrowPlanRange(string side, RegionHandle region, long offset, long length, long available) =>
        throw new PlanException($"The {side} range [{offset}, {offset} + {length}) lies outside {region}, which has {available} bytes; correct the offset or the length, or register a larger region.");

    [DoesNotReturn]
    public static void ThrowStaleRegion(string side, RegionHandle region) =>
        throw new PlanException($"The {side} handle {region} names no live {side} region: it was unregistered, or its peer has failed; register or import it again.");

    [DoesNotReturn]
    public static void ThrowPageRange(string side, int first, int count, int available) =>
        throw new PlanException($"Pages [{first}, {first} + {count}) lie outside the {side} page list, which has {available} entries; pass lists of equal length that cover the range.");

    [DoesNotReturn]
    public static void ThrowPageIndex(string side, int page, RegionHandle region, long offset, long stride, long length, long available) =>
        throw new PlanException($"{side} page index {page} at offset {offset} with stride {stride} and page length {length} ends outside {region}, which has {available} bytes; the largest usable index is {(stride > 0 ? (available - offset - length) / stride : 0)}.");

    [DoesNotReturn]
    public static void ThrowListLengths(string first, int firstCount, string second, int secondCount) =>
        throw new PlanException($"{first} has {firstCount} entries and {second} has {secondCount}; the lists must have equal lengths.");

    [DoesNotReturn]
    public static void ThrowStride(string side, long stride, long offset) =>
        throw new PlanException($"The {side} stride {stride} or offset {offset} is negative; strides and offsets are bytes, 0 or more.");

    [DoesNotReturn]
    public static void ThrowImmediate(Immediate immediate) =>
        throw new PlanException($"{immediate} has unit bits set ({immediate.Value:x8}); pass the counter's Immediate as its owner exported it.");

    [DoesNotReturn]
    public static void ThrowBarrierWithoutImmediate() =>
        throw new PlanException("A barrier without an immediate tells nobody anything; pass a number or a counter's immediate.");
}
