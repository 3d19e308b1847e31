using Garden.Generators.Weights;

namespace Garden.Perf.Generators;

/// <summary>The generators that are measured, at the size of real models.</summary>
internal static class GeneratorCases
{
    private const int Layers = 40;
    private const int Experts = 180;
    private const string Layer = "model.language_model.layers.{layer}.";

    /// <summary>The tensors of Qwen3.5-25B-A3B by the last part of their names: in every layer, in the 30 of linear attention, in the 10 of full attention.</summary>
    private static readonly string[] s_every =
    [
        "input_layernorm.weight", "post_attention_layernorm.weight", "mlp.gate.weight", "mlp.shared_expert_gate.weight",
        "mlp.shared_expert.gate_proj.weight", "mlp.shared_expert.up_proj.weight", "mlp.shared_expert.down_proj.weight",
    ];

    private static readonly string[] s_linear =
    [
        "linear_attn.A_log", "linear_attn.dt_bias", "linear_attn.conv1d.weight", "linear_attn.in_proj_a.weight", "linear_attn.in_proj_b.weight",
        "linear_attn.in_proj_qkv.weight", "linear_attn.in_proj_z.weight", "linear_attn.norm.weight", "linear_attn.out_proj.weight",
    ];

    private static readonly string[] s_full =
    [
        "self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight", "self_attn.o_proj.weight", "self_attn.q_norm.weight", "self_attn.k_norm.weight",
    ];

    private static readonly string[] s_expert =
    [
        "mlp.experts.{expert}.gate_proj.weight", "mlp.experts.{expert}.up_proj.weight", "mlp.experts.{expert}.down_proj.weight",
    ];

    private static readonly string[] s_single = ["lm_head.weight", "model.language_model.embed_tokens.weight", "model.language_model.norm.weight"];

    public static IEnumerable<GeneratorCase> All =>
    [
        new("weights_22213_tensors", static () => new WeightShardMapGenerator(), WeightSource(), ("model.safetensors.index.json", Index()), 1500, 20),
    ];

    private static string WeightSource()
    {
        IEnumerable<string> rules = s_single.Concat(s_every.Concat(s_linear).Concat(s_full).Concat(s_expert).Select(name => Layer + name))
            .Select(name => $"[WeightTensor(\"{name}\", 512, 2048, Inference = \"{(name.Contains("{expert}", StringComparison.Ordinal) ? "expert(ep, pad)" : "replicate")}\")]");
        return $"""
            using Garden.Weights;
            [WeightShardMap(TrainerMesh = "fsdp=256", InferenceMesh = "ep=16, tp=8", Index = "model.safetensors.index.json", Trainer = "flat(fsdp)")]
            {string.Join('\n', rules)}
            public partial struct Map;
            """;
    }

    private static string Index()
    {
        var names = new List<string>(s_single);
        for (int layer = 0; layer < Layers; layer++)
        {
            names.AddRange(s_every.Concat(layer % 4 == 3 ? s_full : s_linear).Select(name => Name(name, layer, 0)));
            for (int expert = 0; expert < Experts; expert++)
                names.AddRange(s_expert.Select(name => Name(name, layer, expert)));
        }

        return $$"""{ "metadata": {}, "weight_map": { {{string.Join(",\n", names.Select((name, i) => $"\"{name}\": \"model-{1 + (i % 10):00000}-of-00010.safetensors\""))}} } }""";

        static string Name(string name, int layer, int expert) =>
            (Layer + name).Replace("{layer}", $"{layer}", StringComparison.Ordinal).Replace("{expert}", $"{expert}", StringComparison.Ordinal);
    }
}
