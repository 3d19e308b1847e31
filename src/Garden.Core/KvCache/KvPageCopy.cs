using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Garden.KvCache;

/// <summary>Gather and scatter of pages for any layout, in the longest runs it allows. Called by generated code.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class KvPageCopy
{
    /// <summary>See <see cref="IKvPageLayout{TSelf}.Gather"/>.</summary>
    public static void Gather<TLayout>(ReadOnlySpan<byte> pool, int poolPages, int layer, ReadOnlySpan<int> pages, int tokens, Span<byte> destination)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
    {
        Require<TLayout>(pool.Length, poolPages, layer, pages, tokens, destination.Length, nameof(destination));
        int row = RunBytes<TLayout>();
        for (int plane = 0; plane < TLayout.PlaneCount; plane++)
        {
            for (int i = 0, left = tokens; left > 0; i++, left -= TLayout.TokensPerPage)
            {
                ReadOnlySpan<byte> from = pool.Slice((int)TLayout.PlaneOffset(poolPages, layer, pages[i], plane), (int)TLayout.BytesPerPlane);
                int inPage = Math.Min(left, TLayout.TokensPerPage);
                int length = inPage * TokenBytes<TLayout>();
                Span<byte> to = destination[..length];
                destination = destination[length..];
                if (IsTokenMajor<TLayout>())
                {
                    from[..length].CopyTo(to);
                    continue;
                }

                for (int token = 0, at = 0; token < inPage; token++)
                {
                    for (int head = 0; head < TLayout.LocalKvHeads; head++, at += row)
                        from.Slice((int)TLayout.ElementOffset(token, head), row).CopyTo(to[at..]);
                }
            }
        }
    }

    /// <summary>See <see cref="IKvPageLayout{TSelf}.Scatter"/>.</summary>
    public static void Scatter<TLayout>(ReadOnlySpan<byte> source, Span<byte> pool, int poolPages, int layer, ReadOnlySpan<int> pages, int tokens)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
    {
        Require<TLayout>(pool.Length, poolPages, layer, pages, tokens, source.Length, nameof(source));
        int row = RunBytes<TLayout>();
        for (int plane = 0; plane < TLayout.PlaneCount; plane++)
        {
            for (int i = 0, left = tokens; left > 0; i++, left -= TLayout.TokensPerPage)
            {
                Span<byte> to = pool.Slice((int)TLayout.PlaneOffset(poolPages, layer, pages[i], plane), (int)TLayout.BytesPerPlane);
                int inPage = Math.Min(left, TLayout.TokensPerPage);
                int length = inPage * TokenBytes<TLayout>();
                ReadOnlySpan<byte> from = source[..length];
                source = source[length..];
                if (IsTokenMajor<TLayout>())
                {
                    from.CopyTo(to);
                    continue;
                }

                for (int token = 0, at = 0; token < inPage; token++)
                {
                    for (int head = 0; head < TLayout.LocalKvHeads; head++, at += row)
                        from.Slice(at, row).CopyTo(to[(int)TLayout.ElementOffset(token, head)..]);
                }
            }
        }
    }

    /// <summary>True when the tokens of a plane lie one behind the other with all their heads, as in the canonical order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsTokenMajor<TLayout>()
        where TLayout : unmanaged, IKvPageLayout<TLayout> =>
        TLayout.Axes == KvAxisOrder.Nhd || TLayout.LocalKvHeads == 1 || TLayout.TokensPerPage == 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int TokenBytes<TLayout>()
        where TLayout : unmanaged, IKvPageLayout<TLayout> =>
        TLayout.LocalKvHeads * RunBytes<TLayout>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int RunBytes<TLayout>()
        where TLayout : unmanaged, IKvPageLayout<TLayout> =>
        TLayout.HeadSize * TLayout.ElementBytes;

    private static void Require<TLayout>(
        int poolLength, int poolPages, int layer, ReadOnlySpan<int> pages, int tokens, int length, string name)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
    {
        if (poolPages < 0 || poolLength < TLayout.PoolBytes(poolPages))
            ThrowPool(poolLength, poolPages, TLayout.PoolBytes(Math.Max(0, poolPages)));
        if ((uint)layer >= (uint)TLayout.Layers)
            ThrowLayer(layer, TLayout.Layers);
        if (tokens < 0 || tokens > (long)pages.Length * TLayout.TokensPerPage)
            ThrowTokens(tokens, pages.Length, TLayout.TokensPerPage);
        if (length < tokens * TLayout.BytesPerToken)
            ThrowLength(name, length, tokens, tokens * TLayout.BytesPerToken);
        foreach (int page in pages)
        {
            if ((uint)page >= (uint)poolPages)
                ThrowPage(page, poolPages);
        }
    }

    [DoesNotReturn]
    private static void ThrowPool(int length, int poolPages, long needed) =>
        throw new ArgumentException($"A pool of {poolPages} pages has {needed} bytes, the span has {length}; pass the whole pool and its number of pages.", "pool");

    [DoesNotReturn]
    private static void ThrowLayer(int layer, int layers) =>
        throw new ArgumentException($"Layer {layer} is outside [0, {layers}).", nameof(layer));

    [DoesNotReturn]
    private static void ThrowTokens(int tokens, int pages, int tokensPerPage) =>
        throw new ArgumentException($"{tokens} tokens do not lie in {pages} pages of {tokensPerPage} tokens; list more pages or pass fewer tokens.", nameof(tokens));

    [DoesNotReturn]
    private static void ThrowLength(string name, int length, int tokens, long needed) =>
        throw new ArgumentException($"{tokens} tokens take {needed} bytes, the span has {length}.", name);

    [DoesNotReturn]
    private static void ThrowPage(int page, int poolPages) =>
        throw new ArgumentException($"Page {page} is outside the pool of {poolPages} pages.", "pages");
}
