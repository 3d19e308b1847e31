using Garden.KvCache;

namespace Garden.Generators.Integration;

/// <summary>Types that take their numbers from model files; their offsets and copies are checked with all others in <see cref="LayoutTests"/>.</summary>
public sealed class ModelFileTests
{
    [Fact]
    public void Small_models_of_our_own()
    {
        Assert.Equal((3, 1, 16, KvPlanes.Latent, KvElement.BFloat16), (TinyLatent.Layers, TinyLatent.KvHeads, TinyLatent.HeadSize, TinyLatent.Planes, TinyLatent.Element));
        Assert.Equal((2, 2, 10, KvElement.Float8E4M3), (TinyHybrid.Layers, TinyHybrid.KvHeads, TinyHybrid.HeadSize, TinyHybrid.Element));
        Assert.Equal((12, 3, 64), (TinyLatentExperts.Experts, TinyLatentExperts.TopK, TinyLatentExperts.HiddenSize));
        Assert.Equal((5, 2, 32), (TinyHybridExperts.Experts, TinyHybridExperts.TopK, TinyHybridExperts.HiddenSize));
    }

    [Fact]
    public void Llama_3_70b()
    {
#if REAL_MODELS
        Assert.Equal((80, 8, 128, 512L), (RealLlama70Tp8.Layers, RealLlama70Tp8.KvHeads, RealLlama70Tp8.HeadSize, RealLlama70Tp8.BytesPerToken));
        // What the file says is what was typed in by hand.
        Assert.Equal((Llama70Tp8.LayoutHash, Llama70Tp4.LayoutHash), (RealLlama70Tp8.LayoutHash, RealLlama70Tp4.LayoutHash));
        Assert.Equal((Llama70Tp8.LayoutHash, Llama70Tp4.LayoutHash), (RealLlamaTp8ToTp4.SourceLayoutHash, RealLlamaTp8ToTp4.DestinationLayoutHash));
        TransferCheck.Run<RealLlamaTp8ToTp4, RealLlama70Tp8, RealLlama70Tp4>(TransferScenario.Create<RealLlamaTp8ToTp4>(5, 17, 20, default, default, 3));
#else
        Assert.Skip("../shared/data/models/llama-3-70b/config.json is not beside the repository.");
#endif
    }

    [Fact]
    public void Qwen_3_5_25b_hybrid()
    {
#if REAL_MODELS
        // 40 layers, every fourth with full attention; 2 KV heads × 256 × K and V × FP16 are 2 KiB a token and layer.
        Assert.Equal((10, 2, 256, 2048L, KvElement.Float16), (RealQwen35.Layers, RealQwen35.KvHeads, RealQwen35.HeadSize, RealQwen35.BytesPerToken, RealQwen35.Element));
        Assert.Equal(10 * 64 * 2048, RealQwen35.PoolBytes(1));
        Assert.Equal((180, 8, 2048), (RealQwen35Experts.Experts, RealQwen35Experts.TopK, RealQwen35Experts.HiddenSize));
#else
        Assert.Skip("../shared/data/models/qwen3.5-25b-a3b/config.json is not beside the repository.");
#endif
    }
}
