using Garden.KvCache;

namespace Garden.Generators.Integration;

/// <summary>Every generated plan of this project with its two layouts, callable without naming the types.</summary>
public static class PlanCases
{
    public delegate TransferScenario Scenario(
        int firstToken, int tokens, int layerSeed, TransferScenario.Order source, TransferScenario.Order destination, int seed, Immediate immediate = default);

    private static readonly Dictionary<string, (Scenario Create, Action<TransferScenario> Run)> s_all = new(
    [
        Of<DeepSeekV3.Transfer, DeepSeekV3, DeepSeekV3>(),
        Of<Llama70Tp8.Transfer, Llama70Tp8, Llama70Tp8>(),
        Of<Qwen235Tp8.Transfer, Qwen235Tp8, Qwen235Tp8>(),
        Of<InterleavedNhd.Transfer, InterleavedNhd, InterleavedNhd>(),
        Of<SeparateHndTp2.Transfer, SeparateHndTp2, SeparateHndTp2>(),
        Of<PageMajorInterleaved.Transfer, PageMajorInterleaved, PageMajorInterleaved>(),
        Of<PageMajorSeparate.Transfer, PageMajorSeparate, PageMajorSeparate>(),
        Of<InterleavedTp16.Transfer, InterleavedTp16, InterleavedTp16>(),
        Of<OneTokenTp4.Transfer, OneTokenTp4, OneTokenTp4>(),
        Of<SmallLatent.Transfer, SmallLatent, SmallLatent>(),
        Of<LongRows.Transfer, LongRows, LongRows>(),
        Of<LongRowsPageMajor.Transfer, LongRowsPageMajor, LongRowsPageMajor>(),
        Of<SameToSame, SeparateNhd, SeparateNhd>(),
        Of<DeepSeekToTp4, DeepSeekV3, DeepSeekV3Tp4>(),
        Of<LlamaTp8ToTp4, Llama70Tp8, Llama70Tp4>(),
        Of<LlamaTp4ToTp8, Llama70Tp4, Llama70Tp8>(),
        Of<LlamaTp1ToTp8, Llama70Tp1, Llama70Tp8>(),
        Of<QwenTp4ToTp8, Qwen235, Qwen235Tp8>(),
        Of<NhdToHnd, InterleavedNhd, InterleavedHnd>(),
        Of<HndToNhd, InterleavedHnd, InterleavedNhd>(),
        Of<InterleavedToSeparate, InterleavedNhd, SeparateNhd>(),
        Of<SeparateToInterleaved, SeparateNhd, InterleavedNhd>(),
        Of<HndToHndTp2, InterleavedHnd, SeparateHndTp2>(),
        Of<HndTp2ToPageMajor, SeparateHndTp2, PageMajorSeparate>(),
        Of<PageMajorToLayerMajor, PageMajorInterleaved, InterleavedNhd>(),
        Of<LayerMajorToPageMajor, InterleavedNhd, PageMajorInterleaved>(),
        Of<PageMajorSeparateToInterleaved, PageMajorSeparate, PageMajorInterleaved>(),
        Of<PageMajorToSeparate, PageMajorSeparate, SeparateNhd>(),
        Of<Tp8ToTp1, PageMajorHndTp8, InterleavedNhd>(),
        Of<Tp1ToTp8, InterleavedNhd, PageMajorHndTp8>(),
        Of<Tp8ToTp16, PageMajorHndTp8, InterleavedTp16>(),
        Of<Tp16ToTp2, InterleavedTp16, SeparateHndTp2>(),
        Of<Tp4ToTp6, OneTokenTp4, OneLayerTp6>(),
        Of<Tp6ToTp4, OneLayerTp6, OneTokenTp4>(),
        Of<OneTokenHndToNhd, OneTokenHnd, FiveTokens>(),
        Of<NhdToOneTokenHnd, FiveTokens, OneTokenHnd>(),
        Of<LatentTp2ToTp3, SmallLatent, SmallLatentPageMajor>(),
        Of<LatentTp3ToTp2, SmallLatentPageMajor, SmallLatent>(),
        Of<LongToPageMajor, LongRows, LongRowsPageMajor>(),
    ]);

    public static TheoryData<string> Names => [.. s_all.Keys];

    public static (Scenario Create, Action<TransferScenario> Run) Get(string name) => s_all[name];

    private static KeyValuePair<string, (Scenario Create, Action<TransferScenario> Run)> Of<TPlan, TFrom, TTo>()
        where TPlan : unmanaged, IKvTransfer<TPlan>
        where TFrom : unmanaged, IKvPageLayout<TFrom>
        where TTo : unmanaged, IKvPageLayout<TTo> =>
        new(
            typeof(TPlan).IsNested ? $"{typeof(TFrom).Name}.Transfer" : typeof(TPlan).Name,
            (TransferScenario.Create<TPlan>, TransferCheck.Run<TPlan, TFrom, TTo>));
}
