using Garden.KvCache;

namespace Garden.Generators.Integration;

// Real models.
[KvPageLayout(Layers = 61, LatentSize = 576, TokensPerPage = 64)]
public partial struct DeepSeekV3;

[KvPageLayout(Layers = 61, LatentSize = 576, TokensPerPage = 16, TensorParallel = 4, PoolOrder = KvPoolOrder.PageMajor)]
public partial struct DeepSeekV3Tp4;

[KvPageLayout(Layers = 80, KvHeads = 8, HeadSize = 128, TokensPerPage = 16, TensorParallel = 8)]
public partial struct Llama70Tp8;

[KvPageLayout(Layers = 80, KvHeads = 8, HeadSize = 128, TokensPerPage = 32, TensorParallel = 4)]
public partial struct Llama70Tp4;

[KvPageLayout(Layers = 80, KvHeads = 8, HeadSize = 128, TokensPerPage = 16, Planes = KvPlanes.Separate)]
public partial struct Llama70Tp1;

[KvPageLayout(Layers = 94, KvHeads = 4, HeadSize = 128, TokensPerPage = 64, TensorParallel = 4)]
public partial struct Qwen235;

[KvPageLayout(Layers = 94, KvHeads = 4, HeadSize = 128, TokensPerPage = 64, TensorParallel = 8, Axes = KvAxisOrder.Hnd)]
public partial struct Qwen235Tp8;

// Small ones, one for every combination that changes the addresses.
[KvPageLayout(Element = KvElement.Float8E4M3, Layers = 3, KvHeads = 4, HeadSize = 3, TokensPerPage = 4)]
public partial struct InterleavedNhd;

[KvPageLayout(Element = KvElement.Float8E4M3, Layers = 3, KvHeads = 4, HeadSize = 3, TokensPerPage = 4, Axes = KvAxisOrder.Hnd)]
public partial struct InterleavedHnd;

[KvPageLayout(Element = KvElement.Float8E4M3, Layers = 3, KvHeads = 4, HeadSize = 3, TokensPerPage = 5, Planes = KvPlanes.Separate)]
public partial struct SeparateNhd;

[KvPageLayout(
    Element = KvElement.Float8E4M3, Layers = 3, KvHeads = 4, HeadSize = 3, TokensPerPage = 6, Planes = KvPlanes.Separate,
    Axes = KvAxisOrder.Hnd, TensorParallel = 2)]
public partial struct SeparateHndTp2;

[KvPageLayout(Element = KvElement.Float8E4M3, Layers = 3, KvHeads = 4, HeadSize = 3, TokensPerPage = 4, PoolOrder = KvPoolOrder.PageMajor)]
public partial struct PageMajorInterleaved;

[KvPageLayout(
    Element = KvElement.Float8E4M3, Layers = 3, KvHeads = 4, HeadSize = 3, TokensPerPage = 4, Planes = KvPlanes.Separate,
    PoolOrder = KvPoolOrder.PageMajor)]
public partial struct PageMajorSeparate;

[KvPageLayout(
    Element = KvElement.Float8E4M3, Layers = 3, KvHeads = 4, HeadSize = 3, TokensPerPage = 4, Planes = KvPlanes.Separate,
    PoolOrder = KvPoolOrder.PageMajor, Axes = KvAxisOrder.Hnd, TensorParallel = 8)]
public partial struct PageMajorHndTp8;

[KvPageLayout(Element = KvElement.Float8E4M3, Layers = 3, KvHeads = 4, HeadSize = 3, TokensPerPage = 3, TensorParallel = 16)]
public partial struct InterleavedTp16;

[KvPageLayout(Element = KvElement.Float32, Layers = 1, KvHeads = 12, HeadSize = 2, TokensPerPage = 1, TensorParallel = 4)]
public partial struct OneTokenTp4;

/// <summary>Head-major by name only: with one token a page its bytes are those of the token-major order.</summary>
[KvPageLayout(Element = KvElement.Float32, Layers = 1, KvHeads = 12, HeadSize = 2, TokensPerPage = 1, TensorParallel = 4, Axes = KvAxisOrder.Hnd)]
public partial struct OneTokenHnd;

[KvPageLayout(Element = KvElement.Float32, Layers = 1, KvHeads = 12, HeadSize = 2, TokensPerPage = 5, TensorParallel = 4)]
public partial struct FiveTokens;

[KvPageLayout(Element = KvElement.Float32, Layers = 1, KvHeads = 12, HeadSize = 2, TokensPerPage = 7, TensorParallel = 6, Axes = KvAxisOrder.Hnd)]
public partial struct OneLayerTp6;

[KvPageLayout(Element = KvElement.Float16, Layers = 2, LatentSize = 5, TokensPerPage = 4, TensorParallel = 2)]
public partial struct SmallLatent;

[KvPageLayout(Element = KvElement.Float16, Layers = 2, LatentSize = 5, TokensPerPage = 8, TensorParallel = 3, PoolOrder = KvPoolOrder.PageMajor)]
public partial struct SmallLatentPageMajor;

/// <summary>Runs of several units: 3 tokens × 4 heads × 20 000 B are 240 000 B a plane.</summary>
[KvPageLayout(Element = KvElement.Int8, Layers = 2, KvHeads = 4, HeadSize = 20_000, TokensPerPage = 3)]
public partial struct LongRows;

[KvPageLayout(Element = KvElement.Int8, Layers = 2, KvHeads = 4, HeadSize = 20_000, TokensPerPage = 6, PoolOrder = KvPoolOrder.PageMajor)]
public partial struct LongRowsPageMajor;
