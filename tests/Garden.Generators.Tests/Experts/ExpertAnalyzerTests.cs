using Microsoft.CodeAnalysis;

namespace Garden.Generators.Tests.Experts;

/// <summary>A firing and a silent test for each rule; the firing one checks the span and the values in the message.</summary>
public sealed class ExpertAnalyzerTests
{
    private const string Shape = "Experts = 8, TopK = 2, HiddenSize = 64, MaxTokens = 16";

    private const string Config = """{"num_experts": 180, "num_experts_per_tok": 8, "hidden_size": 2048}""";

    [Theory]
    [InlineData("struct R;", "R", "must be declared partial")]
    [InlineData("partial struct RowBytes;", "RowBytes", "rename it")]
    public Task GRDN0030_fires(string type, string at, string message) => Fires("GRDN0030", $"[ExpertRouting({Shape})] {type}", at, message);

    [Theory]
    [InlineData("Experts = 0, TopK = 2, HiddenSize = 64, MaxTokens = 16", "Experts = 0", "Experts is 0")]
    [InlineData("Experts = 8, TopK = -2, HiddenSize = 64, MaxTokens = 16", "TopK = -2", "TopK is -2")]
    [InlineData("Experts = 8, TopK = 2, HiddenSize = 64", null, "MaxTokens is missing")]
    [InlineData("Experts = 8, TopK = 2, MaxTokens = 1", null, "HiddenSize is missing")]
    [InlineData(Shape + ", Ranks = -1", "Ranks = -1", "Ranks is -1")]
    [InlineData(Shape + ", ExpertPadding = 0", "ExpertPadding = 0", "ExpertPadding is 0")]
    public Task GRDN0031_fires(string arguments, string? at, string message) =>
        Fires("GRDN0031", $"[ExpertRouting({arguments})] partial struct R;", at, message);

    [Fact]
    public Task GRDN0032_fires() => Fires(
        "GRDN0032", $"[ExpertRouting({Shape}, Ranks = 3)] partial struct R;", "Ranks = 3", "8 experts cannot be divided over 3 ranks; change Ranks, or set PadExperts = true");

    [Fact]
    public Task GRDN0033_fires() => Fires(
        "GRDN0033", "[ExpertRouting(Experts = 4, TopK = 5, HiddenSize = 64, MaxTokens = 1)] partial struct R;", "TopK = 5", "TopK is 5, but there are 4 experts");

    [Theory]
    [InlineData("HiddenSize = 60", "", "HiddenSize is 60, no multiple of 8; with Element BFloat16")]
    [InlineData("HiddenSize = 72", ", Element = ExpertElement.Float8E4M3, ScaleBlock = 8", "no multiple of 16; with Element Float8E4M3")]
    [InlineData("HiddenSize = 68", ", Element = ExpertElement.Float32", "no multiple of 8; with CombineElement BFloat16")]
    public Task GRDN0034_fires(string hidden, string more, string message) =>
        Fires("GRDN0034", $"[ExpertRouting(Experts = 8, TopK = 2, {hidden}, MaxTokens = 1{more})] partial struct R;", hidden, message);

    [Theory]
    [InlineData("Element = ExpertElement.Float8E4M3", "Element = ExpertElement.Float8E4M3", "needs scales")]
    [InlineData("ScaleBlock = 32", "ScaleBlock = 32", "BFloat16 has no scales")]
    [InlineData("Element = ExpertElement.Float8E4M3, ScaleBlock = 48", "ScaleBlock = 48", "ScaleBlock 48 does not divide HiddenSize 64")]
    public Task GRDN0035_fires(string arguments, string at, string message) =>
        Fires("GRDN0035", $"[ExpertRouting({Shape}, {arguments})] partial struct R;", at, message);

    [Theory]
    [InlineData("TopK = 1, HiddenSize = 8, MaxTokens = 500000, Ranks = 5000, PadExperts = true", "an inverse index would have 2500000000 entries")]
    [InlineData("TopK = 1, HiddenSize = 8, MaxTokens = 16, ExpertPadding = 2147483647", "an expert-contiguous output would have 17179869184 rows")]
    public Task GRDN0036_fires(string arguments, string message) =>
        Fires("GRDN0036", $"[ExpertRouting(Experts = 8, {arguments})] partial struct R;", null, message);

    [Theory]
    [InlineData("HiddenSize = 7168, TopK = 8, MaxTokens = 4656", "The dispatch of 4656 tokens to one rank takes 67046416 bytes", "MaxTokens to 4655 or less")]
    [InlineData("HiddenSize = 67043328, TopK = 1, MaxTokens = 1", "takes 134086704 bytes", "MaxTokens to 0 or less")]
    [InlineData("HiddenSize = 7168, TopK = 8, MaxTokens = 2500, CombineElement = ExpertElement.Float32", "The combine of 2500 tokens to one rank takes 71680000 bytes", "MaxTokens to 2338 or less")]
    public async Task GRDN0037_fires(string arguments, string bytes, string fits)
    {
        string tokens = arguments.Split(", ").Single(argument => argument.StartsWith("MaxTokens", StringComparison.Ordinal));
        await Fires("GRDN0037", $"[ExpertRouting(Experts = 64, {arguments})] partial struct R;", tokens, bytes);
        await Fires("GRDN0037", $"[ExpertRouting(Experts = 64, {arguments})] partial struct R;", tokens, fits);
    }

    [Theory]
    [InlineData("Element = (ExpertElement)9", "Element cannot be 9; use one of BFloat16, Float16, Float32, Float8E4M3")]
    [InlineData("CombineElement = ExpertElement.Float8E4M3", "CombineElement cannot be 3; use one of BFloat16, Float16, Float32")]
    public Task GRDN0038_fires(string argument, string message) =>
        Fires("GRDN0038", $"[ExpertRouting({Shape}, {argument})] partial struct R;", argument, message);

    [Theory]
    [InlineData("public bool Flag;", "Flag", "is a bool")]
    [InlineData("public char Letter { get; set; }", "Letter", "is a char")]
    [InlineData("public decimal Price;", "Price", "is a decimal")]
    [InlineData("public string Name;", "Name", "is a reference")]
    [InlineData("public int? Maybe;", "Maybe", "has a field 'hasValue' that is a bool")]
    [InlineData("public Inner Deep; public struct Inner { public (int, System.DateTimeOffset?) Pair; }", "Deep", "has a field 'Pair' that has a field 'Item2' that")]
    public Task GRDN0039_fires(string field, string at, string message) =>
        Fires("GRDN0039", $"#pragma warning disable 649\n[ExpertRouting({Shape})] partial struct R {{ {field} }}", at, message);

    [Theory]
    [InlineData("Model = \"config.json\", MaxTokens = 1, TopK = 4", "GRDN0023", "TopK = 4", "TopK is 4 in the attribute and 8 by num_experts_per_tok of 'config.json'")]
    [InlineData("Model = \"config.json\", MaxTokens = 1, Experts = 256", "GRDN0023", "Experts = 256", "180 by n_routed_experts or num_experts or num_local_experts")]
    [InlineData("Model = \"other.json\", MaxTokens = 1", "GRDN0020", "Model = \"other.json\"", "not among the additional files")]
    [InlineData("Model = \"dense.json\", MaxTokens = 1, TopK = 1", "GRDN0022", "Model = \"dense.json\"", "there is no n_routed_experts, num_experts or num_local_experts")]
    [InlineData("Model = \"lists.json\", MaxTokens = 1, TopK = 1", "GRDN0022", "Model = \"lists.json\"", "num_experts is not a whole number")]
    public async Task Model_files_that_do_not_fit_are_reported(string arguments, string id, string at, string message) =>
        await Fires(id, $"[ExpertRouting({arguments})] partial struct R;", at, message);

    [Theory]
    [InlineData(Shape)]
    [InlineData(Shape + ", Ranks = 3, PadExperts = true, RanksPerNode = 8")]
    [InlineData(Shape + ", Ranks = 16, PadExperts = true")]
    [InlineData(Shape + ", Element = ExpertElement.Float8E4M3, ScaleBlock = 16, CombineElement = ExpertElement.Float32")]
    [InlineData("Experts = 256, TopK = 8, HiddenSize = 7168, MaxTokens = 4096, Ranks = 64, RanksPerNode = 8, ExpertPadding = 128")]
    [InlineData("Experts = 256, TopK = 8, HiddenSize = 7168, MaxTokens = 8192, Ranks = 8, RanksPerNode = 8, ExactCombine = true")]
    [InlineData("Model = \"config.json\", MaxTokens = 128, HiddenSize = 2048, Ranks = 4")]
    public async Task Valid_routings_are_silent_and_compile_without_warnings(string arguments)
    {
        string source = $$"""
            using Garden.Experts;
            [ExpertRouting({{arguments}})]
            partial struct R { internal int Field; internal System.Half Other; internal static bool Static; internal static long Use() => R.ReceiveBytes(4, 2, 2) + R.Group(4, 2).Ranks; }
            static class Use { internal static void All() { R r = default; r.Field++; r.Other = default; R.Static = r.Field > R.Use(); } }
            """;
        Assert.Empty(await Sources.Analyze(Sources.Compile(source), Files));
        Assert.Empty(Sources.Generate(Sources.Compile(source), Files).GetDiagnostics());
    }

    private static AdditionalText[] Files =>
    [
        Sources.File("/m/config.json", Config),
        Sources.File("/m/dense.json", """{"hidden_size": 64}"""),
        Sources.File("/m/lists.json", """{"hidden_size": 64, "num_experts": [8, 8]}"""),
    ];

    private static async Task Fires(string id, string source, string? at, string message)
    {
        source = "using Garden.Experts;\n" + source;
        Compilation compilation = Sources.Compile(source);
        Diagnostic diagnostic = Assert.Single(await Sources.Analyze(compilation, Files));
        Assert.Equal(id, diagnostic.Id);
        Assert.Equal(DiagnosticSeverity.Error, diagnostic.Severity);
        Assert.Contains(message, diagnostic.GetMessage(), StringComparison.Ordinal);
        string attribute = source[(source.IndexOf('[') + 1)..source.IndexOf(']')];
        Assert.Equal(at ?? attribute, source.Substring(diagnostic.Location.SourceSpan.Start, diagnostic.Location.SourceSpan.Length));
        Assert.Single(Sources.Generate(compilation, Files).SyntaxTrees);
    }
}
