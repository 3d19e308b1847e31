using Garden.KvCache;

namespace Garden.Kernels.Tests.KvCache;

// Real models, with few layers so that pools stay small.
[KvPageLayout(Layers = 3, LatentSize = 576, TokensPerPage = 64)]
public partial struct DeepSeek;

[KvPageLayout(Layers = 3, LatentSize = 576, TokensPerPage = 16, PoolOrder = KvPoolOrder.PageMajor)]
public partial struct DeepSeekPageMajor;

[KvPageLayout(Layers = 2, KvHeads = 8, HeadSize = 128, TokensPerPage = 16, TensorParallel = 8)]
public partial struct LlamaTp8;

[KvPageLayout(Layers = 2, KvHeads = 8, HeadSize = 128, TokensPerPage = 32, TensorParallel = 4)]
public partial struct LlamaTp4;

[KvPageLayout(Layers = 2, KvHeads = 8, HeadSize = 128, TokensPerPage = 16, Planes = KvPlanes.Separate)]
public partial struct LlamaTp1;

[KvPageLayout(Layers = 2, KvHeads = 4, HeadSize = 128, TokensPerPage = 64, TensorParallel = 2)]
public partial struct QwenTp2;

[KvPageLayout(Layers = 2, KvHeads = 4, HeadSize = 128, TokensPerPage = 32, TensorParallel = 1, Axes = KvAxisOrder.Hnd)]
public partial struct QwenHnd;

// Small ones whose rows are no multiple of 16: 3, 6, 8 and 10 bytes.
[KvPageLayout(Element = KvElement.Float8E4M3, Layers = 3, KvHeads = 4, HeadSize = 3, TokensPerPage = 5, Planes = KvPlanes.Separate)]
public partial struct Bytes3Separate;

[KvPageLayout(Element = KvElement.Float8E4M3, Layers = 3, KvHeads = 4, HeadSize = 3, TokensPerPage = 6, Axes = KvAxisOrder.Hnd, TensorParallel = 2, PoolOrder = KvPoolOrder.PageMajor)]
public partial struct Bytes3Hnd;

[KvPageLayout(Element = KvElement.Float16, Layers = 2, KvHeads = 6, HeadSize = 3, TokensPerPage = 4, Axes = KvAxisOrder.Hnd)]
public partial struct Bytes6Hnd;

[KvPageLayout(Element = KvElement.Float16, Layers = 2, KvHeads = 6, HeadSize = 3, TokensPerPage = 7, TensorParallel = 3, Planes = KvPlanes.Separate, PoolOrder = KvPoolOrder.PageMajor)]
public partial struct Bytes6Tp3;

[KvPageLayout(Element = KvElement.Float32, Layers = 1, KvHeads = 12, HeadSize = 2, TokensPerPage = 1, TensorParallel = 4)]
public partial struct Bytes8OneToken;

[KvPageLayout(Element = KvElement.Float32, Layers = 1, KvHeads = 12, HeadSize = 2, TokensPerPage = 7, TensorParallel = 6, Axes = KvAxisOrder.Hnd)]
public partial struct Bytes8Tp6;

[KvPageLayout(Element = KvElement.Float16, Layers = 2, LatentSize = 5, TokensPerPage = 4)]
public partial struct Latent10;

[KvPageLayout(Element = KvElement.Float16, Layers = 2, LatentSize = 5, TokensPerPage = 3, PoolOrder = KvPoolOrder.PageMajor)]
public partial struct Latent10PageMajor;

// Two models that agree in everything a conversion compares before the head size.
[KvPageLayout(Layers = 1, LatentSize = 576, TokensPerPage = 2)]
public partial struct DeepSeekShort;

[KvPageLayout(Layers = 1, KvHeads = 1, HeadSize = 128, TokensPerPage = 2)]
public partial struct LlamaShort;
