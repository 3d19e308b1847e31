using System.Collections.Immutable;
using Garden.Generators.Experts;
using Garden.Generators.KvCache;
using Garden.Generators.Weights;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;

namespace Garden.Generators.Tests;

/// <summary>Compiles text as a consumer of Garden.Core would, as strictly as a consumer can.</summary>
internal static class Sources
{
    private static readonly CSharpParseOptions s_parse = new(LanguageVersion.CSharp14, DocumentationMode.Diagnose);

    private static readonly CSharpCompilationOptions s_options = new(
        OutputKind.DynamicallyLinkedLibrary,
        generalDiagnosticOption: ReportDiagnostic.Error,
        warningLevel: 9999,
        nullableContextOptions: NullableContextOptions.Enable,
        checkOverflow: true,
        allowUnsafe: false);

    private static readonly Lazy<ImmutableArray<MetadataReference>> s_references = new(() =>
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!)
            .Split(Path.PathSeparator)
            .Where(path => Path.GetFileName(path) is var name && (name.StartsWith("System.", StringComparison.Ordinal) || name is "Garden.Core.dll" or "netstandard.dll"))
            .Select(path => MetadataReference.CreateFromFile(path)),
    ]);

    public static CSharpCompilation Compile(params string[] sources) =>
        CSharpCompilation.Create("Consumer", sources.Select(Parse), s_references.Value, s_options);

    /// <summary>An additional file, as a project's <c>AdditionalFiles</c> item gives it.</summary>
    public static AdditionalText File(string path, string text) => new AdditionalFile(path, text);

    public static SyntaxTree Parse(string source) => CSharpSyntaxTree.ParseText(source, s_parse);

    /// <summary>A driver of all generators that records why each step ran.</summary>
    public static GeneratorDriver Driver(params AdditionalText[] files) => CSharpGeneratorDriver.Create(
        [
            new KvPageLayoutGenerator().AsSourceGenerator(),
            new KvTransferGenerator().AsSourceGenerator(),
            new WeightShardMapGenerator().AsSourceGenerator(),
            new ExpertRoutingGenerator().AsSourceGenerator(),
        ],
        files,
        parseOptions: s_parse,
        driverOptions: new GeneratorDriverOptions(IncrementalGeneratorOutputKind.None, trackIncrementalGeneratorSteps: true));

    /// <summary>The compilation with what the generators add; no generator may fail or speak.</summary>
    public static Compilation Generate(Compilation compilation, params AdditionalText[] files)
    {
        GeneratorDriver driver = Driver(files).RunGeneratorsAndUpdateCompilation(compilation, out Compilation output, out ImmutableArray<Diagnostic> diagnostics);
        Assert.Empty(diagnostics);
        Assert.All(driver.GetRunResult().Results, result => Assert.Null(result.Exception));
        return output;
    }

    /// <summary>What the analyzers report, in the order of the text.</summary>
    public static async Task<Diagnostic[]> Analyze(Compilation compilation, params AdditionalText[] files)
    {
        CompilationWithAnalyzers analysis = compilation.WithAnalyzers([new KvCacheAnalyzer(), new WeightsAnalyzer(), new ExpertAnalyzer()], new AnalyzerOptions([.. files]));
        ImmutableArray<Diagnostic> diagnostics = await analysis.GetAnalyzerDiagnosticsAsync(TestContext.Current.CancellationToken);
        return [.. diagnostics.OrderBy(diagnostic => diagnostic.Location.SourceSpan.Start)];
    }

    private sealed class AdditionalFile(string path, string text) : AdditionalText
    {
        private readonly SourceText _text = SourceText.From(text);

        public override string Path => path;

        public override SourceText GetText(CancellationToken cancellationToken = default) => _text;
    }
}
