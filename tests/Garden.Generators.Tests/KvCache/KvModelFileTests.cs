using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Garden.Generators.Tests.KvCache;

/// <summary>Layouts that take their numbers from a model's config.</summary>
public sealed class KvModelFileTests
{
    private const string DeepSeek = """
        {"num_hidden_layers": 61, "num_attention_heads": 128, "num_key_value_heads": 128, "hidden_size": 7168,
         "kv_lora_rank": 512, "qk_rope_head_dim": 64, "torch_dtype": "bfloat16"}
        """;

    private const string Llama = """
        {"num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8, "hidden_size": 8192, "torch_dtype": "float32"}
        """;

    private const string Hybrid = """
        {"text_config": {"num_hidden_layers": 4, "num_attention_heads": 16, "num_key_value_heads": 2, "head_dim": 256, "hidden_size": 2048,
         "layer_types": ["linear_attention", "full_attention", "conv", "sliding_attention"]}, "dtype": "float16"}
        """;

    [Theory]
    [InlineData(DeepSeek, "Layers == 61 && HeadSize == 576 && KvHeads == 1 && Planes == KvPlanes.Latent && Element == KvElement.BFloat16")]
    [InlineData(Llama, "Layers == 80 && HeadSize == 128 && KvHeads == 8 && Planes == KvPlanes.Interleaved && Element == KvElement.Float32")]
    [InlineData(Hybrid, "Layers == 2 && HeadSize == 256 && KvHeads == 2 && Element == KvElement.Float16")]
    [InlineData("""{"num_hidden_layers": 9, "full_attention_interval": 4, "num_key_value_heads": 6, "head_dim": 5, "dtype": "int8"}""", "Layers == 2 && KvHeads == 6 && HeadSize == 5")]
    public void The_numbers_are_those_of_the_file(string config, string condition)
    {
        // A constant that is false would be a division by zero, which does not compile.
        Compilation output = Sources.Generate(
            Sources.Compile($$"""
                using Garden.KvCache;
                [KvPageLayout(Model = "models/config.json", TokensPerPage = 16)]
                partial struct L { internal const int Holds = 1 / ({{condition}} ? 1 : 0); }
                """),
            Sources.File("/repo/models/config.json", config));
        Assert.Empty(output.GetDiagnostics());
    }

    [Theory]
    // Missing or ambiguous.
    [InlineData("Model = \"other.json\"", Llama, "GRDN0020", "Model = \"other.json\"", "add <AdditionalFiles Include=\"other.json\" />")]
    [InlineData("Model = \"\"", Llama, "GRDN0020", "Model = \"\"", "is not among the additional files")]
    // Not JSON, or not an object.
    [InlineData("Model = \"config.json\"", "version https://git-lfs", "GRDN0021", "Model = \"config.json\"", "line 1, column 1")]
    [InlineData("Model = \"config.json\"", "[]", "GRDN0021", "Model = \"config.json\"", "expected an object")]
    // Lacking.
    [InlineData("Model = \"config.json\"", """{"num_key_value_heads": 2, "head_dim": 64, "dtype": "int8"}""", "GRDN0022", "Model = \"config.json\"", "does not tell Layers: there is no num_hidden_layers")]
    [InlineData("Model = \"config.json\", KvHeads = 2, Layers = 1", """{"hidden_size": 64, "dtype": "int8"}""", "GRDN0022", "Model = \"config.json\"", "HeadSize: there is no num_attention_heads")]
    [InlineData("Model = \"config.json\", KvHeads = 2, Layers = 1", """{"hidden_size": 64, "num_attention_heads": 5, "dtype": "int8"}""", "GRDN0022", "Model = \"config.json\"", "hidden_size 64 is no multiple of num_attention_heads 5")]
    [InlineData("Model = \"config.json\", KvHeads = 2, HeadSize = 1", """{"num_hidden_layers": 2, "layer_types": ["full_attention"], "dtype": "int8"}""", "GRDN0022", "Model = \"config.json\"", "layer_types has 1 entries, but num_hidden_layers is 2")]
    [InlineData("Model = \"config.json\", KvHeads = 2, HeadSize = 1", """{"layer_types": ["moving_attention"], "dtype": "int8"}""", "GRDN0022", "Model = \"config.json\"", "'moving_attention', which is not understood")]
    [InlineData("Model = \"config.json\", KvHeads = 2, HeadSize = 1", """{"num_hidden_layers": 4, "hybrid_override_pattern": "M*M-", "dtype": "int8"}""", "GRDN0022", "Model = \"config.json\"", "hybrid_override_pattern, which is not understood")]
    [InlineData("Model = \"config.json\", KvHeads = 2, HeadSize = 1", """{"num_hidden_layers": 0, "dtype": "int8"}""", "GRDN0022", "Model = \"config.json\"", "num_hidden_layers is 0")]
    [InlineData("Model = \"config.json\", HeadSize = 1, Layers = 1", """{"num_attention_heads": 4, "dtype": "int8"}""", "GRDN0022", "Model = \"config.json\"", "KvHeads: there is no num_key_value_heads")]
    [InlineData("Model = \"config.json\", HeadSize = 1, Layers = 1", """{"num_key_value_heads": [1, 2], "num_attention_heads": 4, "dtype": "int8"}""", "GRDN0022", "Model = \"config.json\"", "num_key_value_heads is not a whole number")]
    [InlineData("Model = \"config.json\", Layers = 1", """{"kv_lora_rank": 512, "dtype": "int8"}""", "GRDN0022", "Model = \"config.json\"", "LatentSize: there is no qk_rope_head_dim")]
    [InlineData("Model = \"config.json\", Layers = 1", """{"kv_lora_rank": 2147483647, "qk_rope_head_dim": 1, "dtype": "int8"}""", "GRDN0022", "Model = \"config.json\"", "kv_lora_rank + qk_rope_head_dim is 2147483648")]
    [InlineData("Model = \"config.json\", Layers = 1, KvHeads = 1, HeadSize = 1", "{}", "GRDN0022", "Model = \"config.json\"", "Element: there is no dtype or torch_dtype")]
    [InlineData("Model = \"config.json\", Layers = 1, KvHeads = 1, HeadSize = 1", """{"dtype": "auto"}""", "GRDN0022", "Model = \"config.json\"", "dtype is 'auto'")]
    // Contradicting.
    [InlineData("Model = \"config.json\", Layers = 60", Llama, "GRDN0023", "Layers = 60", "Layers is 60 in the attribute and 80 by num_hidden_layers of 'config.json'")]
    [InlineData("Model = \"config.json\", KvHeads = 4", Llama, "GRDN0023", "KvHeads = 4", "8 by num_key_value_heads")]
    [InlineData("Model = \"config.json\", HeadSize = 64", Llama, "GRDN0023", "HeadSize = 64", "128 by hidden_size / num_attention_heads")]
    [InlineData("Model = \"config.json\", Layers = 4", Hybrid, "GRDN0023", "Layers = 4", "2 by layer_types")]
    [InlineData("Model = \"config.json\", LatentSize = 512", DeepSeek, "GRDN0023", "LatentSize = 512", "576 by kv_lora_rank + qk_rope_head_dim")]
    [InlineData("Model = \"config.json\", HeadSize = 128", DeepSeek, "GRDN0023", "HeadSize = 128", "absent (a latent)")]
    [InlineData("Model = \"config.json\", LatentSize = 576", Llama, "GRDN0023", "LatentSize = 576", "absent (K and V heads)")]
    public async Task A_file_that_does_not_fit_is_reported(string arguments, string config, string id, string at, string message)
    {
        CSharpCompilation compilation = Sources.Compile($"using Garden.KvCache; [KvPageLayout(TokensPerPage = 16, {arguments})] partial struct L;");
        AdditionalText file = Sources.File("/repo/models/config.json", config);
        Diagnostic diagnostic = Assert.Single(await Sources.Analyze(compilation, file));
        Assert.Equal(id, diagnostic.Id);
        Assert.Contains(message, diagnostic.GetMessage(), StringComparison.Ordinal);
        Assert.Equal(at, diagnostic.Location.SourceTree!.ToString().Substring(diagnostic.Location.SourceSpan.Start, diagnostic.Location.SourceSpan.Length));
        Assert.Single(Sources.Generate(compilation, file).SyntaxTrees);
    }

    [Theory]
    [InlineData("Layers = 80, KvHeads = 8, HeadSize = 128, Element = KvElement.Float8E4M3", Llama)]
    [InlineData("LatentSize = 576", DeepSeek)]
    [InlineData("Layers = 4, KvHeads = 8, HeadSize = 128", """{"num_hidden_layers": 52, "hybrid_override_pattern": "M*M-", "dtype": "bfloat16"}""")]
    public async Task What_agrees_or_fills_a_gap_is_silent(string arguments, string config)
    {
        CSharpCompilation compilation = Sources.Compile($"using Garden.KvCache; [KvPageLayout(Model = \"config.json\", TokensPerPage = 16, {arguments})] partial struct L;");
        AdditionalText file = Sources.File("/repo/config.json", config);
        Assert.Empty(await Sources.Analyze(compilation, file));
        Assert.Empty(Sources.Generate(compilation, file).GetDiagnostics().Where(diagnostic => diagnostic.Severity != DiagnosticSeverity.Hidden));
    }

    [Fact]
    public async Task Two_files_of_one_name_are_ambiguous()
    {
        Compilation compilation = Sources.Compile("using Garden.KvCache; [KvPageLayout(Model = \"config.json\", TokensPerPage = 16)] partial struct L;");
        Diagnostic diagnostic = Assert.Single(await Sources.Analyze(compilation, Sources.File("/a/config.json", Llama), Sources.File("/b/config.json", Llama)));
        Assert.Equal("GRDN0020", diagnostic.Id);
        Assert.Contains("names both '/a/config.json' and '/b/config.json'", diagnostic.GetMessage(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_transfer_joins_layouts_of_model_files_also_from_another_assembly()
    {
        AdditionalText file = Sources.File("/repo/config.json", Llama);
        Compilation library = Sources.Generate(
            Sources.Compile("""
                using Garden.KvCache;
                /// <summary>A layout.</summary>
                [KvPageLayout(Model = "config.json", TokensPerPage = 16)] public partial struct Remote;
                """).WithAssemblyName("Library"),
            file);
        Compilation consumer = Sources.Compile("""
            using Garden.KvCache;
            [KvPageLayout(Layers = 80, KvHeads = 8, HeadSize = 128, Element = KvElement.Float32, TokensPerPage = 32)] partial struct Local;
            [KvTransfer<Remote, Local>] partial struct Move { static int Pages => Move.SourceTokensPerPage; }
            """).AddReferences(library.ToMetadataReference());
        // The library's model file is not a file of the consumer.
        Assert.Empty(await Sources.Analyze(consumer));
        Assert.Empty(Sources.Generate(consumer).GetDiagnostics());
    }
}
