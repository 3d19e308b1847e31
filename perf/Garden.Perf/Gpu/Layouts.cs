using Garden.KvCache;

namespace Garden.Perf.Gpu;

// The page shapes of three models as servers hold them on one tensor-parallel rank, and what they are converted to.
[KvPageLayout(Layers = 61, LatentSize = 576, TokensPerPage = 64)]
public partial struct DeepSeekV3;

[KvPageLayout(Layers = 61, LatentSize = 576, TokensPerPage = 16, PoolOrder = KvPoolOrder.PageMajor)]
public partial struct DeepSeekV3PageMajor;

[KvPageLayout(Layers = 80, KvHeads = 8, HeadSize = 128, TokensPerPage = 16, TensorParallel = 8)]
public partial struct Llama70Tp8;

[KvPageLayout(Layers = 80, KvHeads = 8, HeadSize = 128, TokensPerPage = 32, TensorParallel = 4)]
public partial struct Llama70Tp4;

[KvPageLayout(Layers = 94, KvHeads = 4, HeadSize = 128, TokensPerPage = 64, TensorParallel = 4)]
public partial struct Qwen235Tp4;

[KvPageLayout(Layers = 94, KvHeads = 4, HeadSize = 128, TokensPerPage = 64, TensorParallel = 1)]
public partial struct Qwen235Tp1;

[KvPageLayout(Layers = 94, KvHeads = 4, HeadSize = 128, TokensPerPage = 32, TensorParallel = 1, Axes = KvAxisOrder.Hnd)]
public partial struct Qwen235Hnd;
