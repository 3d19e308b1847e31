using Garden.Generators.ModelFiles;
using Microsoft.CodeAnalysis.Text;

namespace Garden.Generators.Tests.ModelFiles;

public sealed class ModelConfigTests
{
    [Fact]
    public void Members_are_read_and_others_are_passed_over()
    {
        ModelConfig config = Read("""
            {"architectures": ["X"], "hidden_size": 7168, "num_hidden_layers": 61, "num_attention_heads": 128, "num_key_value_heads": 128,
             "kv_lora_rank": 512, "qk_rope_head_dim": 64, "n_routed_experts": 256, "num_experts_per_tok": 8, "n_shared_experts": 1,
             "first_k_dense_replace": 3, "torch_dtype": "bfloat16", "rope_scaling": {"factor": 40, "num_hidden_layers": 5}, "head_dim": null}
            """);
        Assert.Equal((7168, 61, 128, 128), (config.HiddenSize, config.HiddenLayers, config.AttentionHeads, config.KeyValueHeads));
        Assert.Equal((512, 64, 256, 8), (config.KvLoraRank, config.QkRopeHeadDim, config.Experts, config.ExpertsPerToken));
        Assert.Equal((1, 3, "bfloat16", null), (config.SharedExperts, config.FirstDenseLayers, config.DataType, config.HeadDim));
        Assert.Empty(config.LayerTypes);
        Assert.Empty(config.Unusable);
    }

    [Theory]
    [InlineData("""{"hidden_size": 1, "dtype": "float32", "text_config": {"hidden_size": 2, "layer_types": ["a", "b"]}}""")]
    [InlineData("""{"text_config": {"hidden_size": 2, "layer_types": ["a", "b"]}, "dtype": "float32", "hidden_size": "big", "layer_types": ["c"]}""")]
    public void The_text_model_wins(string json)
    {
        ModelConfig config = Read(json);
        Assert.Equal((2, "float32"), (config.HiddenSize, config.DataType));
        Assert.Equal(["a", "b"], config.LayerTypes);
        Assert.Empty(config.Unusable);
    }

    [Theory]
    [InlineData("num_experts")]
    [InlineData("num_local_experts")]
    [InlineData("n_routed_experts")]
    public void Experts_have_three_names(string name) => Assert.Equal(180, Read($$"""{"{{name}}": 180}""").Experts);

    [Theory]
    [InlineData("""{"hidden_size": "8192"}""", "hidden_size")]
    [InlineData("""{"hidden_size": 99999999999}""", "hidden_size")]
    [InlineData("""{"hidden_size": 1.5}""", "hidden_size")]
    [InlineData("""{"num_key_value_heads": [8, 8, 4]}""", "num_key_value_heads")]
    [InlineData("""{"layer_types": 3}""", "layer_types")]
    [InlineData("""{"layer_types": ["full_attention", [1, {"a": 2}], "full_attention"]}""", "layer_types")]
    public void What_is_not_a_number_or_list_of_names_is_named(string json, string name)
    {
        ModelConfig config = Read(json);
        Assert.Equal([name], config.Unusable);
        Assert.Equal((null, null, 0), (config.HiddenSize, config.KeyValueHeads, config.LayerTypes.Count));
    }

    [Fact]
    public void The_last_of_two_members_counts() =>
        Assert.Equal((2, 0), (Read("""{"hidden_size": [1], "hidden_size": 2}""").HiddenSize, Read("""{"hidden_size": [1], "hidden_size": 2}""").Unusable.Count));

    [Theory]
    [InlineData("""{"hybrid_override_pattern": "M-M*"}""", "hybrid_override_pattern")]
    [InlineData("""{"attn_layer_period": 8}""", "attn_layer_period")]
    [InlineData("""{"num_kv_shared_layers": 0}""", null)]
    [InlineData("""{"layers_block_type": null}""", null)]
    public void Patterns_of_layers_that_are_not_understood_are_named(string json, string? name) =>
        Assert.Equal(name, Read(json).UnknownLayerPattern);

    [Fact]
    public void Configs_compare_by_value()
    {
        string json = """{"hidden_size": 1, "layer_types": ["a"], "num_experts": []}""";
        Assert.Equal(Read(json), Read(json + " "));
        Assert.NotEqual(Read(json), Read(json.Replace("\"a\"", "\"b\"", StringComparison.Ordinal)));
        Assert.NotEqual(Read(json), Read(json.Replace("[]}", "1}", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("[]", "expected an object")]
    [InlineData("{} {}", "expected the end of the file")]
    [InlineData("{\"hidden_size\": }", "line 1, column 17")]
    public void What_is_no_config_is_an_error(string json, string message) =>
        Assert.Contains(message, ModelFile<ModelConfig>.Read("x", SourceText.From(json), ModelConfigReader.Read).Error);

    private static ModelConfig Read(string json)
    {
        ModelFile<ModelConfig> file = ModelFile<ModelConfig>.Read("x", SourceText.From(json), ModelConfigReader.Read);
        Assert.Null(file.Error);
        return file.Content!;
    }
}
