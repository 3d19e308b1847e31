using System.Runtime.CompilerServices;
using Garden.KvCache;

namespace Garden.Kernels.KvCache;

/// <summary>Pages to contiguous memory.</summary>
/// <typeparam name="TLayout">The generated layout.</typeparam>
public readonly struct KvGather<TLayout> : ICopyMap<KvGatherArgs>
    where TLayout : unmanaged, IKvPageLayout<TLayout>
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Rows(KvGatherArgs arguments) => arguments.Rows;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Vectors(KvGatherArgs arguments) => arguments.Vectors;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe ulong Source(KvGatherArgs arguments, int row, uint vector, int bytes)
    {
        uint perPlane = (uint)TLayout.BytesPerPlane / (uint)bytes;
        uint slot = vector / perPlane;
        int layer = row / TLayout.PlaneCount;
        // Safe: the host has checked that the list covers all tokens and that its pages lie in the pool.
        int page = ((int*)arguments.Pages)[slot];
        return arguments.Pool
            + (ulong)TLayout.PlaneOffset(arguments.PoolPages, arguments.FirstLayer + layer, page, row - (layer * TLayout.PlaneCount))
            + (ulong)KvPlaneGeometry<TLayout>.OffsetInPlane((vector - (slot * perPlane)) * (uint)bytes);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Destination(KvGatherArgs arguments, int row, uint vector, int bytes) =>
        arguments.Contiguous + ((((ulong)(uint)row * arguments.Vectors) + vector) * (ulong)(uint)bytes);
}
