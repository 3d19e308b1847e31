using Garden.KvCache;

namespace Garden.Perf.Kv;

/// <summary>DeepSeek-V3's latent pages (512 + 64 elements a token), the first eight of its 61 layers.</summary>
[KvPageLayout(Element = KvElement.BFloat16, Layers = 8, LatentSize = 512 + 64, TokensPerPage = 64)]
internal partial struct LatentPages
{
    /// <summary>One hidden state of 7168 elements.</summary>
    public const int TailBytes = 7168 * 2;
}
