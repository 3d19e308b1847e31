using Garden.KvCache;

namespace Garden.Generators.Integration;

/// <summary>Every generated layout of this project, with the checks that apply to all of them.</summary>
public static class LayoutCases
{
    private static readonly Dictionary<string, (Action<int> Offsets, Action<int, int> Copies)> s_all = new(
    [
        Of<DeepSeekV3>(),
        Of<DeepSeekV3Tp4>(),
        Of<Llama70Tp8>(),
        Of<Llama70Tp4>(),
        Of<Llama70Tp1>(),
        Of<Qwen235>(),
        Of<Qwen235Tp8>(),
        Of<InterleavedNhd>(),
        Of<InterleavedHnd>(),
        Of<SeparateNhd>(),
        Of<SeparateHndTp2>(),
        Of<PageMajorInterleaved>(),
        Of<PageMajorSeparate>(),
        Of<PageMajorHndTp8>(),
        Of<InterleavedTp16>(),
        Of<OneTokenTp4>(),
        Of<OneTokenHnd>(),
        Of<FiveTokens>(),
        Of<OneLayerTp6>(),
        Of<SmallLatent>(),
        Of<SmallLatentPageMajor>(),
        Of<TinyLatent>(),
        Of<TinyHybrid>(),
#if REAL_MODELS
        Of<RealLlama70Tp8>(),
        Of<RealQwen35>(),
#endif
    ]);

    public static TheoryData<string> Names => [.. s_all.Keys];

    public static (Action<int> Offsets, Action<int, int> Copies) Get(string name) => s_all[name];

    private static KeyValuePair<string, (Action<int> Offsets, Action<int, int> Copies)> Of<TLayout>()
        where TLayout : unmanaged, IKvPageLayout<TLayout> =>
        new(typeof(TLayout).Name, (CheckOffsets<TLayout>, CheckCopies<TLayout>));

    /// <summary>Offsets and sizes of random elements against the naive model.</summary>
    private static void CheckOffsets<TLayout>(int seed)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
    {
        var random = new Random(seed);
        int pool = 1 + random.Next(9);
        var naive = new NaiveLayout<TLayout>(pool);
        int heads = NaiveLayout<TLayout>.HeadsOf(0).Length;
        Assert.Equal(naive.Bytes, TLayout.PoolBytes(pool));
        Assert.Equal(heads, TLayout.LocalKvHeads);
        Assert.Equal(TLayout.TokensPerPage * heads * NaiveLayout<TLayout>.RowBytes, TLayout.BytesPerPlane);
        Assert.Equal(TLayout.PlaneCount * TLayout.BytesPerPlane, TLayout.BytesPerPage);
        Assert.Equal(TLayout.BytesPerPage / TLayout.TokensPerPage, TLayout.BytesPerToken);
        for (int i = 0; i < 50; i++)
        {
            int layer = random.Next(TLayout.Layers), page = random.Next(pool), plane = random.Next(TLayout.PlaneCount);
            int token = random.Next(TLayout.TokensPerPage), head = random.Next(heads);
            Assert.Equal(
                naive.Offset(layer, page, plane, token, head),
                TLayout.PlaneOffset(pool, layer, page, plane) + TLayout.ElementOffset(token, head));
        }
    }

    /// <summary>Gather gives the canonical order, scatter puts it back and touches nothing else.</summary>
    private static void CheckCopies<TLayout>(int tokens, int seed)
        where TLayout : unmanaged, IKvPageLayout<TLayout>
    {
        var random = new Random(seed);
        tokens = Math.Min(tokens, 4 * TLayout.TokensPerPage);
        int count = (tokens + TLayout.TokensPerPage - 1) / TLayout.TokensPerPage;
        // The big models' pools must stay small: pages cost 80 layers each.
        int poolPages = count + random.Next(2);
        int[] pages = [.. Enumerable.Range(0, poolPages)];
        random.Shuffle(pages);
        pages = pages[..count];
        int layer = random.Next(TLayout.Layers);
        var naive = new NaiveLayout<TLayout>(poolPages);
        byte[] pool = new byte[naive.Bytes];
        random.NextBytes(pool);

        byte[] canonical = new byte[(tokens * TLayout.BytesPerToken) + 3];
        TLayout.Gather(pool, poolPages, layer, pages, tokens, canonical);
        byte[] scattered = new byte[pool.Length];
        TLayout.Scatter(canonical, scattered, poolPages, layer, pages, tokens);

        byte[] expected = new byte[pool.Length];
        int row = NaiveLayout<TLayout>.RowBytes, at = 0;
        for (int plane = 0; plane < TLayout.PlaneCount; plane++)
        {
            for (int token = 0; token < tokens; token++)
            {
                for (int head = 0; head < TLayout.LocalKvHeads; head++, at += row)
                {
                    int offset = (int)naive.Offset(layer, pages[token / TLayout.TokensPerPage], plane, token % TLayout.TokensPerPage, head);
                    pool.AsSpan(offset, row).CopyTo(expected.AsSpan(offset));
                    if (!pool.AsSpan(offset, row).SequenceEqual(canonical.AsSpan(at, row)))
                        Assert.Fail($"Plane {plane}, token {token}, head {head} is not where the canonical order has it.");
                }
            }
        }

        Assert.True(expected.AsSpan().SequenceEqual(scattered), "Scatter is not the inverse of gather.");
    }
}
