using System.Runtime.CompilerServices;

namespace Garden.Kernels.Nvlink;

/// <summary>A registered region as a device's stream reaches it.</summary>
/// <param name="Address">The first byte for the device.</param>
/// <param name="Base">What those who write to it or from it count from.</param>
/// <param name="Length">Length in bytes.</param>
/// <param name="IsPinned">True for host memory on a GPU: pinned by the page, so that no copy engine takes a range over several pages.</param>
internal readonly record struct DeviceRange(nint Address, ulong Base, long Length, bool IsPinned)
{
    /// <summary>Where some bytes of it are for the device; false when they lie outside.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryLocate(ulong from, long length, out nint address)
    {
        ulong at = from - Base;
        address = Address + (nint)at;
        return at <= (ulong)Length && (ulong)length <= (ulong)Length - at;
    }
}
