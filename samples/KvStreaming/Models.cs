using Garden.KvCache;

namespace KvStreaming;

/// <summary>DeepSeek-V3: multi-head latent attention, one latent of 512 + 64 elements a token, the same on every rank.</summary>
[KvPageLayout(Element = KvElement.BFloat16, Layers = 61, LatentSize = 512 + 64, TokensPerPage = 64)]
public partial struct DeepSeekV3
{
    /// <summary>What the run's report calls it.</summary>
    public const string Name = "DeepSeek-V3";

    /// <summary>The message channels of its streams: this one and the next. One engine serves several models.</summary>
    public const ushort Channel = 10;

    /// <summary>What goes to the decoder last: one hidden state in bfloat16.</summary>
    public const int TailBytes = 7168 * 2;
}

/// <summary>Llama-3-70B: grouped-query attention with 8 KV heads of 128, one rank of a tensor-parallel group of 8.</summary>
[KvPageLayout(Element = KvElement.BFloat16, Layers = 80, KvHeads = 8, HeadSize = 128, TokensPerPage = 64, TensorParallel = 8)]
public partial struct Llama70B
{
    /// <summary>What the run's report calls it.</summary>
    public const string Name = "Llama-3-70B TP8";

    /// <summary>The message channels of its streams: this one and the next.</summary>
    public const ushort Channel = 12;

    /// <summary>What goes to the decoder last: one hidden state in bfloat16.</summary>
    public const int TailBytes = 8192 * 2;
}
