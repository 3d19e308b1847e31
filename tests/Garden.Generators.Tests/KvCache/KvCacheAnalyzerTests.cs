using Microsoft.CodeAnalysis;

namespace Garden.Generators.Tests.KvCache;

/// <summary>A firing and a silent test for each rule; the firing one checks the span and the values in the message.</summary>
public sealed class KvCacheAnalyzerTests
{
    private const string Good = "[KvPageLayout(Layers = 2, KvHeads = 4, HeadSize = 8, TokensPerPage = 16)] partial struct Good;";

    [Theory]
    [InlineData("[KvPageLayout(Layers = 2, LatentSize = 8, TokensPerPage = 16)] struct L;", "L", "must be declared partial")]
    [InlineData("[KvPageLayout(Layers = 2, LatentSize = 8, TokensPerPage = 16)] partial struct L<T>;", "L", "must not be generic")]
    [InlineData("[KvPageLayout(Layers = 2, LatentSize = 8, TokensPerPage = 16)] ref partial struct L;", "L", "ordinary struct")]
    [InlineData("[KvPageLayout(Layers = 2, LatentSize = 8, TokensPerPage = 16)] file partial struct L;", "L", "file-local")]
    [InlineData("[KvPageLayout(Layers = 2, LatentSize = 8, TokensPerPage = 16)] partial record struct L(int X);", "L", "primary constructor")]
    [InlineData("[KvPageLayout(Layers = 2, LatentSize = 8, TokensPerPage = 16)] partial struct Transfer;", "Transfer", "rename it")]
    [InlineData("class Outer { [KvPageLayout(Layers = 2, LatentSize = 8, TokensPerPage = 16)] partial struct L; }", "L", "'Outer', which must be declared partial too")]
    [InlineData("partial class Outer<T> { [KvPageLayout(Layers = 2, LatentSize = 8, TokensPerPage = 16)] partial struct L; }", "L", "generic type 'Outer'")]
    [InlineData(Good + "[KvTransfer<Good, Good>] struct T;", "T", "must be declared partial")]
    public Task GRDN0001_fires(string source, string at, string message) => Fires("GRDN0001", source, at, message);

    [Theory]
    [InlineData("partial class Outer { partial record Inner { [KvPageLayout(Layers = 2, LatentSize = 8, TokensPerPage = 16)] readonly partial record struct L; } }")]
    [InlineData("class Unrelated { struct L; }")]
    public Task GRDN0001_is_silent(string source) => IsSilent(source);

    [Theory]
    [InlineData("[KvPageLayout(Layers = 0, LatentSize = 8, TokensPerPage = 16)] partial struct L;", "Layers = 0", "Layers is 0")]
    [InlineData("[KvPageLayout(Layers = 2, LatentSize = -8, TokensPerPage = 16)] partial struct L;", "LatentSize = -8", "LatentSize is -8")]
    [InlineData("[KvPageLayout(Layers = 2, LatentSize = 8, TokensPerPage = 16, TensorParallel = 0)] partial struct L;", "TensorParallel = 0", "TensorParallel is 0")]
    [InlineData("[KvPageLayout(Layers = 2, KvHeads = 8, TokensPerPage = 16)] partial struct L;", "KvPageLayout(Layers = 2, KvHeads = 8, TokensPerPage = 16)", "HeadSize is missing")]
    [InlineData("[KvPageLayout(Layers = 2, LatentSize = 8)] partial struct L;", "KvPageLayout(Layers = 2, LatentSize = 8)", "TokensPerPage is missing")]
    [InlineData("[KvPageLayout(Layers = 2, TokensPerPage = 8, Planes = KvPlanes.Latent)] partial struct L;", "KvPageLayout(Layers = 2, TokensPerPage = 8, Planes = KvPlanes.Latent)", "LatentSize is missing")]
    public Task GRDN0002_fires(string source, string at, string message) => Fires("GRDN0002", source, at, message);

    [Fact]
    public Task GRDN0002_is_silent() => IsSilent(Good);

    [Theory]
    [InlineData("[KvPageLayout(Layers = 2, KvHeads = 8, HeadSize = 8, TokensPerPage = 16, TensorParallel = 3)] partial struct L;", "TensorParallel = 3", "8 KV heads cannot be divided over 3")]
    [InlineData("[KvPageLayout(Layers = 2, KvHeads = 8, HeadSize = 8, TokensPerPage = 16, TensorParallel = 12)] partial struct L;", "TensorParallel = 12", "over 12")]
    public Task GRDN0003_fires(string source, string at, string message) => Fires("GRDN0003", source, at, message);

    [Theory]
    [InlineData("[KvPageLayout(Layers = 2, KvHeads = 8, HeadSize = 8, TokensPerPage = 16, TensorParallel = 16)] partial struct L;")]
    [InlineData("[KvPageLayout(Layers = 2, KvHeads = 8, HeadSize = 8, TokensPerPage = 16, TensorParallel = 2)] partial struct L;")]
    [InlineData("[KvPageLayout(Layers = 2, LatentSize = 8, TokensPerPage = 16, TensorParallel = 3)] partial struct L;")]
    public Task GRDN0003_is_silent(string source) => IsSilent(source);

    [Theory]
    [InlineData("[KvPageLayout(Layers = 2, LatentSize = 576, KvHeads = 8, TokensPerPage = 16)] partial struct L;", "LatentSize = 576", "KvHeads = 8")]
    [InlineData("[KvPageLayout(Layers = 2, LatentSize = 576, HeadSize = 9, TokensPerPage = 16)] partial struct L;", "LatentSize = 576", "HeadSize = 9")]
    public Task GRDN0004_fires(string source, string at, string message) => Fires("GRDN0004", source, at, message);

    [Fact]
    public Task GRDN0004_is_silent() => IsSilent("[KvPageLayout(Layers = 2, LatentSize = 8, TokensPerPage = 16, Planes = KvPlanes.Separate)] partial struct L;");

    [Theory]
    [InlineData("[KvPageLayout(Layers = 1, KvHeads = 65536, HeadSize = 65536, TokensPerPage = 1)] partial struct L;", "a token in one layer has 17179869184 bytes")]
    [InlineData("[KvPageLayout(Layers = 1, LatentSize = 65536, TokensPerPage = 65536)] partial struct L;", "a page in one layer has 8589934592 bytes")]
    [InlineData("[KvPageLayout(Layers = 2147483647, LatentSize = 1, TokensPerPage = 2)] partial struct L;", "a page over all layers has 8589934588 bytes")]
    [InlineData("[KvPageLayout(Layers = 2147483647, LatentSize = 2147483647, TokensPerPage = 2147483647)] partial struct L;", "a token in one layer has 4294967294 bytes")]
    public Task GRDN0005_fires(string source, string message) => Fires("GRDN0005", source, null, message);

    [Fact]
    public Task GRDN0005_is_silent() => IsSilent("[KvPageLayout(Layers = 4, LatentSize = 65536, TokensPerPage = 4096, Element = KvElement.Int8)] partial struct L;");

    [Theory]
    [InlineData(Good + "struct Bare; [KvTransfer<Bare, Good>] partial struct T;", "Bare", "'Bare' is not a valid KV-cache layout")]
    [InlineData(Good + "[KvTransfer<Good, int>] partial struct T;", "int", "'Int32' is not a valid")]
    [InlineData(Good + "partial class C { [KvTransfer<Good, Broken>] partial struct T; struct Broken; }", "Broken", "'Broken'")]
    public Task GRDN0006_fires(string source, string at, string message) => Fires("GRDN0006", source, at, message);

    [Fact]
    public async Task GRDN0006_fires_beside_the_error_of_the_layout()
    {
        Diagnostic[] diagnostics = await Analyze("[KvPageLayout(Layers = 0, LatentSize = 8, TokensPerPage = 1)] partial struct L;" + Good + "[KvTransfer<Good, L>] partial struct T;");
        Assert.Equal(["GRDN0002", "GRDN0006"], diagnostics.Select(diagnostic => diagnostic.Id));
    }

    [Fact]
    public Task GRDN0006_is_silent() => IsSilent(Good + "[KvTransfer<Good, Good>] partial struct T;");

    [Theory]
    [InlineData("Layers = 2, KvHeads = 4, HeadSize = 8, Element = KvElement.Int8", "The element type is BFloat16 in 'Good' and Int8 in 'L'")]
    [InlineData("Layers = 3, KvHeads = 4, HeadSize = 8", "The number of layers is 2 in 'Good' and 3 in 'L'")]
    [InlineData("Layers = 2, KvHeads = 2, HeadSize = 8", "The number of KV heads is 4 in 'Good' and 2 in 'L'")]
    [InlineData("Layers = 2, KvHeads = 4, HeadSize = 6", "The head size is 8 in 'Good' and 6 in 'L'")]
    [InlineData("Layers = 2, LatentSize = 8", "The number of planes is 2 (K and V) in 'Good' and 1 (latent) in 'L'")]
    public Task GRDN0007_fires(string layout, string message) =>
        Fires("GRDN0007", Good + $"[KvPageLayout({layout}, TokensPerPage = 4)] partial struct L; [KvTransfer<Good, L>] partial struct T;", "L", message);

    [Fact]
    public Task GRDN0007_is_silent() => IsSilent(
        Good + "[KvPageLayout(Layers = 2, KvHeads = 4, HeadSize = 8, TokensPerPage = 3, TensorParallel = 8, Axes = KvAxisOrder.Hnd, Planes = KvPlanes.Separate, PoolOrder = KvPoolOrder.PageMajor)] partial struct L; [KvTransfer<Good, L>] partial struct T;");

    [Theory]
    [InlineData("Element = (KvElement)17", "17 is not a value of KvElement; use one of Float16, BFloat16")]
    [InlineData("Axes = (KvAxisOrder)2", "2 is not a value of KvAxisOrder; use one of Nhd, Hnd")]
    [InlineData("PoolOrder = (KvPoolOrder)255", "255 is not a value of KvPoolOrder")]
    [InlineData("Planes = (KvPlanes)3", "3 is not a value of KvPlanes")]
    public Task GRDN0008_fires(string argument, string message) =>
        Fires("GRDN0008", $"[KvPageLayout(Layers = 2, KvHeads = 4, HeadSize = 8, TokensPerPage = 16, {argument})] partial struct L;", argument, message);

    [Theory]
    [InlineData(Good + "struct Inner { public bool Flag; } [KvPageLayout(Layers = 2, LatentSize = 8, TokensPerPage = 16)] partial struct L { public Inner Deep; }", "Deep", "has a field 'Flag' that is a bool")]
    [InlineData(Good + "[KvTransfer<Good, Good>] partial struct T { public string Name; }", "Name", "is a reference")]
    public Task GRDN0009_fires(string source, string at, string message) => Fires("GRDN0009", source, at, message);

    [Fact]
    public Task GRDN0009_is_silent() => IsSilent(
        "[KvPageLayout(Layers = 2, LatentSize = 8, TokensPerPage = 16)] partial struct L { public static string Name = \"\"; public int Number; } static class Use { static int N => new L { Number = L.Name.Length }.Number; }");

    [Theory]
    [InlineData("Float16")]
    [InlineData("Float8E5M2")]
    [InlineData("Int8")]
    public Task GRDN0008_is_silent(string element) =>
        IsSilent($"[KvPageLayout(Layers = 2, KvHeads = 4, HeadSize = 8, TokensPerPage = 16, Element = KvElement.{element})] partial struct L;");

    [Theory]
    [InlineData("Layers = \"two\"")]
    [InlineData("Layers = new[] { 2 }")]
    [InlineData("Model = 5")]
    [InlineData("Element = 1.5")]
    [InlineData("Nothing = 1")]
    public async Task What_does_not_compile_is_left_to_the_compiler(string argument)
    {
        string source = $"[KvPageLayout(LatentSize = 8, TokensPerPage = 16, {argument})] partial struct L;";
        Assert.DoesNotContain(await Analyze(source), diagnostic => diagnostic.Id != "GRDN0002");
        Assert.Contains(Sources.Generate(Sources.Compile(Text(source))).GetDiagnostics(), diagnostic => diagnostic.Severity == DiagnosticSeverity.Error);
    }

    private static async Task Fires(string id, string source, string? at, string message)
    {
        Diagnostic diagnostic = Assert.Single(await Analyze(source));
        Assert.Equal(id, diagnostic.Id);
        Assert.Equal(DiagnosticSeverity.Error, diagnostic.Severity);
        Assert.Contains(message, diagnostic.GetMessage(), StringComparison.OrdinalIgnoreCase);
        Assert.Equal(at ?? source[1..source.IndexOf(']')], diagnostic.Location.SourceTree!.ToString().Substring(diagnostic.Location.SourceSpan.Start, diagnostic.Location.SourceSpan.Length));

        // The generators leave alone what the analyzer complains about, or complete it without errors of their own.
        Sources.Generate(Sources.Compile(Text(source)));
    }

    private static async Task IsSilent(string source)
    {
        Assert.Empty(await Analyze(source));
        Assert.DoesNotContain(
            Sources.Generate(Sources.Compile(Text(source))).GetDiagnostics(),
            diagnostic => diagnostic.Severity != DiagnosticSeverity.Hidden);
    }

    private static Task<Diagnostic[]> Analyze(string source) => Sources.Analyze(Sources.Compile(Text(source)));

    private static string Text(string source) => "using Garden.KvCache;\n" + source;
}
