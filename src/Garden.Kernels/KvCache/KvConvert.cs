using System.Runtime.CompilerServices;
using Garden.KvCache;

namespace Garden.Kernels.KvCache;

/// <summary>
/// Pages of one layout to pages of another, head row by head row, in the order of the written side: its tokens are neighbours
/// (head-major) or its heads are (token-major).
/// </summary>
/// <typeparam name="TFrom">The generated layout of the pool to read.</typeparam>
/// <typeparam name="TTo">The generated layout of the pool to write.</typeparam>
public readonly struct KvConvert<TFrom, TTo> : ICopyMap<KvConvertArgs>
    where TFrom : unmanaged, IKvPageLayout<TFrom>
    where TTo : unmanaged, IKvPageLayout<TTo>
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Rows(KvConvertArgs arguments) => arguments.Rows;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Vectors(KvConvertArgs arguments) => arguments.Vectors;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Source(KvConvertArgs arguments, int row, uint vector, int bytes) =>
        Address<TFrom>(arguments.SourcePool, arguments.SourcePages, arguments.SourcePoolPages, arguments.SourceHead, arguments, row, vector, bytes);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Destination(KvConvertArgs arguments, int row, uint vector, int bytes) =>
        Address<TTo>(arguments.DestinationPool, arguments.DestinationPages, arguments.DestinationPoolPages, arguments.DestinationHead, arguments, row, vector, bytes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe ulong Address<TLayout>(
        ulong pool, ulong pages, int poolPages, uint firstHead, KvConvertArgs arguments, int row, uint vector, int bytes)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
    {
        uint perRow = (uint)KvPlaneGeometry<TFrom>.RowBytes / (uint)bytes;
        uint token = vector / perRow;
        uint inRow = (vector - (token * perRow)) * (uint)bytes;
        uint head = 0;
        int block = row;
        if (!KvPlaneGeometry<TTo>.IsTokenMajor)
        {
            block = row / (int)arguments.Heads;
            head = (uint)(row - (block * (int)arguments.Heads));
        }
        else if (arguments.Heads != 1)
        {
            uint of = token;
            token = of / arguments.Heads;
            head = of - (token * arguments.Heads);
        }

        int layer = block / TFrom.PlaneCount;
        token += arguments.FirstToken;
        uint slot = token / (uint)TLayout.TokensPerPage;
        // Safe: the host has checked that both lists cover all tokens and that their pages lie in the pools.
        int page = ((int*)pages)[slot];
        return pool
            + (ulong)TLayout.PlaneOffset(poolPages, arguments.FirstLayer + layer, page, block - (layer * TFrom.PlaneCount))
            + (ulong)TLayout.ElementOffset((int)(token - (slot * (uint)TLayout.TokensPerPage)), (int)(firstHead + head))
            + inRow;
    }
}
