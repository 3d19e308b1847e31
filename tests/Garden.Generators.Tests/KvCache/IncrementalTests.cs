using System.Runtime.CompilerServices;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Garden.Generators.Tests.KvCache;

public sealed class IncrementalTests
{
    private const string Declarations = """
        using Garden.KvCache;
        namespace Consumer;
        [KvPageLayout(Layers = 2, KvHeads = 4, HeadSize = 8, TokensPerPage = 16)] partial struct From;
        [KvPageLayout(Layers = 2, KvHeads = 4, HeadSize = 8, TokensPerPage = 32)] partial struct To;
        [KvTransfer<From, To>] partial struct Move;
        """;

    private const string Unrelated = "namespace Consumer; class Unrelated;";

    [Fact]
    public void An_unrelated_edit_regenerates_nothing()
    {
        CSharpCompilation before = Sources.Compile(Declarations, Unrelated);
        CSharpCompilation after = before.ReplaceSyntaxTree(before.SyntaxTrees[1], Sources.Parse(Unrelated + " class Another;"));
        GeneratorRunResult[] results = RunTwice(before, after);
        AssertReasons(results, "KvPageLayout.Parse", IncrementalStepRunReason.Unchanged);
        AssertReasons(results, "KvPageLayout.Valid", IncrementalStepRunReason.Cached);
        AssertReasons(results, "KvTransfer.Parse", IncrementalStepRunReason.Unchanged);
        AssertReasons(results, "KvTransfer.Valid", IncrementalStepRunReason.Cached);
        AssertOutputs(results, IncrementalStepRunReason.Cached);
    }

    [Fact]
    public void An_edit_beside_the_attribute_regenerates_nothing()
    {
        CSharpCompilation before = Sources.Compile(Declarations);
        CSharpCompilation after = before.ReplaceSyntaxTree(before.SyntaxTrees[0], Sources.Parse("// moved down\n" + Declarations));
        GeneratorRunResult[] results = RunTwice(before, after);
        AssertReasons(results, "KvPageLayout.Parse", IncrementalStepRunReason.Unchanged);
        AssertReasons(results, "KvTransfer.Parse", IncrementalStepRunReason.Unchanged);
        AssertOutputs(results, IncrementalStepRunReason.Cached);
    }

    [Fact]
    public void A_changed_layout_regenerates_itself_and_the_transfers_that_use_it()
    {
        string transfer = "using Garden.KvCache; namespace Consumer; [KvTransfer<From, To>] partial struct Move;";
        string layouts = Declarations[..Declarations.IndexOf("[KvTransfer", StringComparison.Ordinal)];
        CSharpCompilation before = Sources.Compile(layouts, transfer);
        CSharpCompilation after = before.ReplaceSyntaxTree(before.SyntaxTrees[0], Sources.Parse(layouts.Replace("TokensPerPage = 32", "TokensPerPage = 64", StringComparison.Ordinal)));
        GeneratorRunResult[] results = RunTwice(before, after);
        Assert.Equal(
            [IncrementalStepRunReason.Unchanged, IncrementalStepRunReason.Modified],
            Reasons(results, "KvPageLayout.Parse").Order(Comparer<IncrementalStepRunReason>.Create((a, b) => b.CompareTo(a))));
        AssertReasons(results, "KvTransfer.Parse", IncrementalStepRunReason.Modified);
    }

    [Fact]
    public void The_driver_does_not_hold_the_old_compilation()
    {
        GeneratorDriver driver = Sources.Driver();
        WeakReference old = Run(ref driver, Unrelated);
        Run(ref driver, Unrelated + " class Second;");
        for (int i = 0; i < 10 && old.IsAlive; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.False(old.IsAlive, "The pipeline keeps the compilation of the first run alive.");
        GC.KeepAlive(driver);

        // Not inlined: a temporary in the test's own frame would keep the first driver alive.
        [MethodImpl(MethodImplOptions.NoInlining)]
        static WeakReference Run(ref GeneratorDriver driver, string unrelated)
        {
            CSharpCompilation compilation = Sources.Compile(Declarations, unrelated);
            driver = driver.RunGenerators(compilation, TestContext.Current.CancellationToken);
            return new WeakReference(compilation);
        }
    }

    private static GeneratorRunResult[] RunTwice(Compilation before, Compilation after)
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        GeneratorDriver driver = Sources.Driver().RunGenerators(before, cancellation);
        return [.. driver.RunGenerators(after, cancellation).GetRunResult().Results];
    }

    private static IEnumerable<IncrementalStepRunReason> Reasons(GeneratorRunResult[] results, string step) =>
        results.Where(result => result.TrackedSteps.ContainsKey(step))
            .SelectMany(result => result.TrackedSteps[step])
            .SelectMany(run => run.Outputs)
            .Select(output => output.Reason);

    private static void AssertReasons(GeneratorRunResult[] results, string step, IncrementalStepRunReason reason)
    {
        IncrementalStepRunReason[] reasons = [.. Reasons(results, step)];
        Assert.NotEmpty(reasons);
        Assert.All(reasons, actual => Assert.Equal(reason, actual));
    }

    private static void AssertOutputs(GeneratorRunResult[] results, IncrementalStepRunReason reason)
    {
        IncrementalStepRunReason[] reasons = [.. results
            .SelectMany(result => result.TrackedOutputSteps.Values)
            .SelectMany(runs => runs)
            .SelectMany(run => run.Outputs)
            .Select(output => output.Reason)];
        Assert.Equal(3, reasons.Length);
        Assert.All(reasons, actual => Assert.Equal(reason, actual));
    }
}
