using System.Globalization;
using Garden.Generators.ModelFiles;

namespace Garden.Generators.KvCache;

/// <summary>What a model's config says about its cache, and how that agrees with the attribute.</summary>
internal static class KvModelRules
{
    // By their use of memory: a window of keys and values is paged like all of them; a state is not.
    private static readonly HashSet<string> s_paged = ["full_attention", "sliding_attention", "chunked_attention"];
    private static readonly HashSet<string> s_pageless = ["linear_attention", "mamba", "conv"];

    private static readonly Dictionary<string, int> s_elements = new()
    {
        ["float16"] = 0,
        ["bfloat16"] = 1,
        ["float32"] = 2,
        ["float8_e4m3fn"] = 3,
        ["float8_e5m2"] = 4,
        ["int8"] = 5,
    };

    /// <summary>The declaration with what it leaves to its model filled in.</summary>
    public static KvLayoutDeclaration Complete(
        KvLayoutDeclaration declaration, IEnumerable<ModelFile<ModelConfig>> configs, List<RuleViolation> found)
    {
        string name = declaration.Model!;
        if (ModelFileLookup.Find(configs, name, "Model", out RuleViolation? violation) is not { } config)
        {
            found.Add(violation!);
            return declaration;
        }

        var merge = new ModelMerge(name, found);
        declaration = declaration with { Layers = merge.Number("Layers", declaration.Layers, Layers(config)) };
        declaration = HasLatent(config) ? Latent(declaration, config, merge) : Heads(declaration, config, merge);
        return declaration with { Element = declaration.Element ?? Element(config, merge) };
    }

    private static bool HasLatent(ModelConfig config) => config.Has("kv_lora_rank", config.KvLoraRank) && config.KvLoraRank != 0;

    private static KvLayoutDeclaration Latent(KvLayoutDeclaration declaration, ModelConfig config, ModelMerge merge)
    {
        merge.Absent("KvHeads", declaration.KvHeads, "a latent", "kv_lora_rank");
        merge.Absent("HeadSize", declaration.HeadSize, "a latent", "kv_lora_rank");
        FromModel rank = config.Get("kv_lora_rank", config.KvLoraRank), rope = config.Get("qk_rope_head_dim", config.QkRopeHeadDim);
        FromModel size = rank.Value is not int compressed ? rank
            : rope.Value is not int positions ? rope
            : FromModel.Of((long)compressed + positions, "kv_lora_rank + qk_rope_head_dim");
        return declaration with { LatentSize = merge.Number("LatentSize", declaration.LatentSize, size), KvHeads = null, HeadSize = null };
    }

    private static KvLayoutDeclaration Heads(KvLayoutDeclaration declaration, ModelConfig config, ModelMerge merge)
    {
        merge.Absent("LatentSize", declaration.LatentSize, "K and V heads", "the lack of kv_lora_rank");
        // Without num_key_value_heads some families have as many as attention heads, others one: not for us to guess.
        FromModel heads = config.Get("num_key_value_heads", config.KeyValueHeads);
        return declaration with
        {
            KvHeads = merge.Number("KvHeads", declaration.KvHeads, heads),
            HeadSize = merge.Number("HeadSize", declaration.HeadSize, HeadSize(config)),
            LatentSize = null,
        };
    }

    private static FromModel HeadSize(ModelConfig config)
    {
        if (config.Has("head_dim", config.HeadDim))
            return config.Get("head_dim", config.HeadDim);
        FromModel hidden = config.Get("hidden_size", config.HiddenSize), heads = config.Get("num_attention_heads", config.AttentionHeads);
        if (hidden.Value is not int size)
            return hidden;
        if (heads.Value is not int count)
            return heads;
        return size % count == 0
            ? FromModel.Of(size / count, "hidden_size / num_attention_heads")
            : FromModel.Unknown($"there is no head_dim, and hidden_size {Text(size)} is no multiple of num_attention_heads {Text(count)}");
    }

    private static FromModel Layers(ModelConfig config)
    {
        FromModel all = config.Get("num_hidden_layers", config.HiddenLayers);
        if (config.Unusable.Contains("layer_types"))
            return FromModel.Unknown("layer_types is not a list of names");
        if (config.LayerTypes.Count != 0)
            return PagedLayers(config, all);
        if (config.UnknownLayerPattern is { } pattern)
            return FromModel.Unknown($"which layers keep pages is said by {pattern}, which is not understood");
        if (!config.Has("full_attention_interval", config.FullAttentionInterval) || all.Value is not int layers)
            return all;
        // Layers interval − 1, 2 × interval − 1, … have full attention.
        FromModel interval = config.Get("full_attention_interval", config.FullAttentionInterval);
        return interval.Value is int step ? FromModel.Of(layers / step, "num_hidden_layers / full_attention_interval") : interval;
    }

    private static FromModel PagedLayers(ModelConfig config, FromModel all)
    {
        int paged = 0;
        foreach (string type in config.LayerTypes)
        {
            if (s_paged.Contains(type))
                paged++;
            else if (!s_pageless.Contains(type))
                return FromModel.Unknown($"layer_types has '{type}', which is not understood");
        }

        return all.Value is int layers && layers != config.LayerTypes.Count
            ? FromModel.Unknown($"layer_types has {Text(config.LayerTypes.Count)} entries, but num_hidden_layers is {Text(layers)}")
            : FromModel.Of(paged, "layer_types");
    }

    private static int? Element(ModelConfig config, ModelMerge merge)
    {
        if (config.DataType is { } type && s_elements.TryGetValue(type, out int element))
            return element;
        merge.Lacks("Element", config.DataType is null ? "there is no dtype or torch_dtype" : $"dtype is '{config.DataType}', which is no element type");
        return null;
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
