namespace Garden.Generators.ModelFiles;

/// <summary>
/// What Garden uses of a Hugging Face <c>config.json</c>; null where the file has nothing or <c>null</c>. Members of a nested
/// <c>text_config</c> (models that also see or hear) win over those of the file itself.
/// </summary>
internal sealed record ModelConfig
{
    /// <summary><c>hidden_size</c>.</summary>
    public int? HiddenSize { get; init; }

    /// <summary><c>num_hidden_layers</c>.</summary>
    public int? HiddenLayers { get; init; }

    /// <summary><c>num_attention_heads</c>.</summary>
    public int? AttentionHeads { get; init; }

    /// <summary><c>num_key_value_heads</c>.</summary>
    public int? KeyValueHeads { get; init; }

    /// <summary><c>head_dim</c>.</summary>
    public int? HeadDim { get; init; }

    /// <summary><c>kv_lora_rank</c>, the compressed part of a latent.</summary>
    public int? KvLoraRank { get; init; }

    /// <summary><c>qk_rope_head_dim</c>, the position part of a latent.</summary>
    public int? QkRopeHeadDim { get; init; }

    /// <summary><c>n_routed_experts</c>, <c>num_experts</c> or <c>num_local_experts</c>.</summary>
    public int? Experts { get; init; }

    /// <summary><c>num_experts_per_tok</c>.</summary>
    public int? ExpertsPerToken { get; init; }

    /// <summary><c>n_shared_experts</c>.</summary>
    public int? SharedExperts { get; init; }

    /// <summary><c>first_k_dense_replace</c>: leading layers without experts.</summary>
    public int? FirstDenseLayers { get; init; }

    /// <summary><c>intermediate_size</c>.</summary>
    public int? IntermediateSize { get; init; }

    /// <summary><c>moe_intermediate_size</c>.</summary>
    public int? MoeIntermediateSize { get; init; }

    /// <summary><c>vocab_size</c>.</summary>
    public int? VocabSize { get; init; }

    /// <summary><c>full_attention_interval</c>: every n-th layer has full attention, where <c>layer_types</c> is not given.</summary>
    public int? FullAttentionInterval { get; init; }

    /// <summary><c>dtype</c> or <c>torch_dtype</c>: the element type of the weights.</summary>
    public string? DataType { get; init; }

    /// <summary><c>layer_types</c>, one for each layer; empty when not given.</summary>
    public EquatableArray<string> LayerTypes { get; init; }

    /// <summary>A member that says which layers have attention in a way that is not understood here; null when there is none.</summary>
    public string? UnknownLayerPattern { get; init; }

    /// <summary>Names of members that are there but are not what they should be, such as a list for each layer instead of a number.</summary>
    public EquatableArray<string> Unusable { get; init; }

    /// <summary>True when the file has the field, whatever is in it.</summary>
    public bool Has(string name, int? value) => value is not null || Unusable.Contains(name);

    /// <summary>The positive number of a field that was read as <paramref name="value"/>, or why it cannot be used.</summary>
    public FromModel Get(string name, int? value) =>
        value is int number ? FromModel.Of(number, name)
        : FromModel.Unknown(Unusable.Contains(name) ? $"{name} is not a whole number" : $"there is no {name}");
}
