namespace Garden.KvCache;

/// <summary>
/// Declares the layout of a paged KV cache on a <c>partial struct</c>. The generator implements
/// <see cref="IKvPageLayout{TSelf}"/> on it and adds a nested <c>Transfer</c> plan that streams pages between two pools of
/// this layout.
/// </summary>
/// <remarks>
/// With P pages in the pool, L layers, S planes (2, or 1 for a latent), T tokens a page, H local heads and D elements a
/// head, the byte offset of an element is, for page p, layer l and plane s, <c>block(l, p, s) × T × H × D × bytes</c>
/// plus <c>((t × H) + h) × D × bytes</c> (NHD) or <c>((h × T) + t) × D × bytes</c> (HND), where block is
/// layer-major interleaved or latent <c>((l × P) + p) × S + s</c>, layer-major separate <c>((l × S) + s) × P + p</c>,
/// page-major interleaved or latent <c>((p × L) + l) × S + s</c>, page-major separate <c>((p × S) + s) × L + l</c>.
/// H is KvHeads / TensorParallel, or 1 when there are more ranks than heads and each head is held by
/// TensorParallel / KvHeads consecutive ranks. A latent is held whole by every rank.
/// </remarks>
[AttributeUsage(AttributeTargets.Struct)]
public sealed class KvPageLayoutAttribute : Attribute
{
    /// <summary>
    /// A Hugging Face <c>config.json</c> among the project's additional files, by its name or the end of its path
    /// (<c>llama-3-70b/config.json</c>). What is not given here is taken from it: the layers that have pages (with
    /// <c>layer_types</c> or <c>full_attention_interval</c> those that keep keys and values, so none for linear attention),
    /// heads and head size, or the latent (<c>kv_lora_rank</c> + <c>qk_rope_head_dim</c>), and the element type.
    /// </summary>
    public string? Model { get; set; }

    /// <summary>
    /// Element type of the cache. With a <see cref="Model"/> the default is the file's <c>dtype</c>; since that speaks of the
    /// weights, a cache of another type is no contradiction.
    /// </summary>
    public KvElement Element { get; set; } = KvElement.BFloat16;

    /// <summary>Number of layers that hold pages.</summary>
    public int Layers { get; set; }

    /// <summary>KV heads of the whole model, over all tensor-parallel ranks. Not for a latent.</summary>
    public int KvHeads { get; set; }

    /// <summary>Elements per head. Not for a latent.</summary>
    public int HeadSize { get; set; }

    /// <summary>Elements of the latent of one token (for DeepSeek-V3: kv_lora_rank 512 + qk_rope_head_dim 64). Implies <see cref="KvPlanes.Latent"/>.</summary>
    public int LatentSize { get; set; }

    /// <summary>Tokens per page.</summary>
    public int TokensPerPage { get; set; }

    /// <summary>How K and V lie beside each other. Ignored when <see cref="LatentSize"/> is given.</summary>
    public KvPlanes Planes { get; set; } = KvPlanes.Interleaved;

    /// <summary>Axis order inside a plane of a page.</summary>
    public KvAxisOrder Axes { get; set; } = KvAxisOrder.Nhd;

    /// <summary>Which of layer and page is the outer axis of the pool.</summary>
    public KvPoolOrder PoolOrder { get; set; } = KvPoolOrder.LayerMajor;

    /// <summary>Number of tensor-parallel ranks the heads are divided over.</summary>
    public int TensorParallel { get; set; } = 1;
}
