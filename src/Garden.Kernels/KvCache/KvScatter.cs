using System.Runtime.CompilerServices;
using Garden.KvCache;

namespace Garden.Kernels.KvCache;

/// <summary>Contiguous memory to pages: <see cref="KvGather{TLayout}"/> the other way round.</summary>
/// <typeparam name="TLayout">The generated layout.</typeparam>
public readonly struct KvScatter<TLayout> : ICopyMap<KvGatherArgs>
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
    public static ulong Source(KvGatherArgs arguments, int row, uint vector, int bytes) =>
        KvGather<TLayout>.Destination(arguments, row, vector, bytes);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Destination(KvGatherArgs arguments, int row, uint vector, int bytes) =>
        KvGather<TLayout>.Source(arguments, row, vector, bytes);
}
