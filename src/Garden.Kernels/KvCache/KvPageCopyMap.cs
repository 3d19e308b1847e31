using System.Runtime.CompilerServices;
using Garden.KvCache;

namespace Garden.Kernels.KvCache;

/// <summary>Whole pages to other pages, of the same pool or of another.</summary>
/// <typeparam name="TLayout">The generated layout of both pools.</typeparam>
public readonly struct KvPageCopyMap<TLayout> : ICopyMap<KvPageCopyArgs>
    where TLayout : unmanaged, IKvPageLayout<TLayout>
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Rows(KvPageCopyArgs arguments) => arguments.Rows;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Vectors(KvPageCopyArgs arguments) => arguments.Vectors;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Source(KvPageCopyArgs arguments, int row, uint vector, int bytes) =>
        Address(arguments.SourcePool, arguments.SourcePages, arguments.SourcePoolPages, arguments.FirstLayer, row, vector, bytes);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Destination(KvPageCopyArgs arguments, int row, uint vector, int bytes) =>
        Address(arguments.DestinationPool, arguments.DestinationPages, arguments.DestinationPoolPages, arguments.FirstLayer, row, vector, bytes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe ulong Address(ulong pool, ulong pages, int poolPages, int firstLayer, int row, uint vector, int bytes)
    {
        uint perPlane = (uint)TLayout.BytesPerPlane / (uint)bytes;
        uint slot = vector / perPlane;
        int layer = row / TLayout.PlaneCount;
        // Safe: the host has checked that the list has as many pages as are copied and that they lie in the pool.
        int page = ((int*)pages)[slot];
        return pool
            + (ulong)TLayout.PlaneOffset(poolPages, firstLayer + layer, page, row - (layer * TLayout.PlaneCount))
            + ((vector - (slot * perPlane)) * (ulong)(uint)bytes);
    }
}
