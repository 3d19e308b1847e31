using Garden.KvCache;

namespace Garden.Benchmarks;

[KvPageLayout(Layers = 61, LatentSize = 576, TokensPerPage = 64)]
public partial struct DeepSeekV3;

[KvPageLayout(Layers = 61, LatentSize = 576, TokensPerPage = 64, PoolOrder = KvPoolOrder.PageMajor)]
public partial struct DeepSeekV3PageMajor;

[KvPageLayout(Layers = 80, KvHeads = 8, HeadSize = 128, TokensPerPage = 16, TensorParallel = 8)]
public partial struct Llama70Tp8;

[KvPageLayout(Layers = 80, KvHeads = 8, HeadSize = 128, TokensPerPage = 16, TensorParallel = 8, PoolOrder = KvPoolOrder.PageMajor)]
public partial struct Llama70Tp8PageMajor;

[KvPageLayout(Layers = 80, KvHeads = 8, HeadSize = 128, TokensPerPage = 32, TensorParallel = 4)]
public partial struct Llama70Tp4;

/// <summary>Heads outside tokens: gather and scatter go row by row.</summary>
[KvPageLayout(Layers = 80, KvHeads = 8, HeadSize = 128, TokensPerPage = 16, Axes = KvAxisOrder.Hnd)]
public partial struct Llama70Hnd;

[KvTransfer<Llama70Tp8, Llama70Tp4>]
public partial struct LlamaTp8ToTp4;
