using Garden.Experts;
using Garden.KvCache;

namespace Garden.Generators.Integration;

// Numbers from the configs in Models/.
[KvPageLayout(Model = "tiny-latent.config.json", TokensPerPage = 4)]
public partial struct TinyLatent;

[KvPageLayout(Model = "tiny-hybrid.config.json", TokensPerPage = 4, TensorParallel = 2, Element = KvElement.Float8E4M3)]
public partial struct TinyHybrid;

[ExpertRouting(Model = "tiny-latent.config.json", MaxTokens = 4)]
public partial struct TinyLatentExperts;

[ExpertRouting(Model = "tiny-hybrid.config.json", MaxTokens = 4, Ranks = 2, PadExperts = true)]
public partial struct TinyHybridExperts;

#if REAL_MODELS
// Numbers from the configs of real checkpoints.
[KvPageLayout(Model = "llama-3-70b/config.json", TokensPerPage = 16, TensorParallel = 8, Element = KvElement.BFloat16)]
public partial struct RealLlama70Tp8;

[KvPageLayout(Model = "llama-3-70b/config.json", TokensPerPage = 32, TensorParallel = 4, Element = KvElement.BFloat16)]
public partial struct RealLlama70Tp4;

[KvPageLayout(Model = "qwen3.5-25b-a3b/config.json", TokensPerPage = 64)]
public partial struct RealQwen35;

[KvTransfer<RealLlama70Tp8, RealLlama70Tp4>]
public partial struct RealLlamaTp8ToTp4;

[ExpertRouting(Model = "qwen3.5-25b-a3b/config.json", MaxTokens = 128, Ranks = 4, RanksPerNode = 8)]
public partial struct RealQwen35Experts;
#endif
