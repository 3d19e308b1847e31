using System.Collections.Immutable;
using System.Diagnostics;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Text;

namespace Garden.Perf.Generators;

/// <summary>
/// What a generator adds to a build and to a keystroke: a first run of a fresh driver that reads its file anew, and runs after an
/// edit of another file. The very first run of the process also pays for the JIT, as a build does.
/// </summary>
internal static class GeneratorScenario
{
    private const int ColdRounds = 9;
    private const int WarmRounds = 31;

    public static void Run(Report report, IEnumerable<GeneratorCase> cases)
    {
        foreach (GeneratorCase one in cases)
            RunOne(report, one);
    }

    private static void RunOne(Report report, GeneratorCase one)
    {
        CSharpCompilation compilation = CSharpCompilation.Create(
            "Consumer", [Parse(one.Source), Parse("class Unrelated;")], References(), new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary));
        double first = Cold(one, compilation, out _);
        double[] cold = new double[ColdRounds], warm = new double[WarmRounds];
        for (int round = 0; round < ColdRounds; round++)
            cold[round] = Cold(one, compilation, out _);
        Cold(one, compilation, out GeneratorDriver driver);
        for (int round = 0; round < WarmRounds; round++)
        {
            CSharpCompilation edited = compilation.ReplaceSyntaxTree(compilation.SyntaxTrees[1], Parse($"class Unrelated{round};"));
            warm[round] = Measure(edited, ref driver);
        }

        int sources = driver.GetRunResult().Results.Sum(result => result.GeneratedSources.Length);
        int characters = driver.GetRunResult().Results.SelectMany(result => result.GeneratedSources).Sum(source => source.SourceText.Length);
        if (sources == 0)
            throw new InvalidOperationException($"{one.Name} generated nothing, so there was nothing to measure.");
        double coldMedian = Statistics.Median(cold), warmMedian = Statistics.Median(warm);
        report.Row(
            one.Name,
            ("generated_characters", characters),
            ("first_of_process_ms", first),
            ("first_over_limit", first / one.MostColdMilliseconds),
            ("cold_p50_ms", coldMedian),
            ("cold_over_limit", coldMedian / one.MostColdMilliseconds),
            ("warm_p50_ms", warmMedian),
            ("warm_over_limit", warmMedian / one.MostWarmMilliseconds));
    }

    private static double Cold(GeneratorCase one, Compilation compilation, out GeneratorDriver driver)
    {
        // A new text, because texts that were read once are remembered.
        var file = new AdditionalFile(one.File.Path, SourceText.From(one.File.Text));
        driver = CSharpGeneratorDriver.Create(
            [one.Create().AsSourceGenerator()], [file], (CSharpParseOptions)compilation.SyntaxTrees.First().Options);
        return Measure(compilation, ref driver);
    }

    private static double Measure(Compilation compilation, ref GeneratorDriver driver)
    {
        long started = Stopwatch.GetTimestamp();
        driver = driver.RunGenerators(compilation);
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    private static SyntaxTree Parse(string text) => CSharpSyntaxTree.ParseText(text, new CSharpParseOptions(LanguageVersion.CSharp14));

    private static ImmutableArray<MetadataReference> References() =>
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!)
            .Split(Path.PathSeparator)
            .Where(path => Path.GetFileName(path) is var name && (name.StartsWith("System.", StringComparison.Ordinal) || name == "Garden.Core.dll"))
            .Select(path => MetadataReference.CreateFromFile(path)),
    ];

    private sealed class AdditionalFile(string path, SourceText text) : AdditionalText
    {
        public override string Path => path;

        public override SourceText GetText(CancellationToken cancellationToken = default) => text;
    }
}
