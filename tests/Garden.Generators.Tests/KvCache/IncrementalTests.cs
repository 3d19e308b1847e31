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
        GeneratorRunResult[] results = Steps.RunTwice(before, after);
        Steps.Are(results, "KvPageLayout.Parse", IncrementalStepRunReason.Unchanged);
        Steps.Are(results, "KvPageLayout.Valid", IncrementalStepRunReason.Cached);
        Steps.Are(results, "KvTransfer.Parse", IncrementalStepRunReason.Unchanged);
        Steps.Are(results, "KvTransfer.Valid", IncrementalStepRunReason.Cached);
        Assert.Equal(Enumerable.Repeat(IncrementalStepRunReason.Cached, 3), Steps.Outputs(results));
    }

    [Fact]
    public void An_edit_beside_the_attribute_regenerates_nothing()
    {
        CSharpCompilation before = Sources.Compile(Declarations);
        CSharpCompilation after = before.ReplaceSyntaxTree(before.SyntaxTrees[0], Sources.Parse("// moved down\n" + Declarations));
        GeneratorRunResult[] results = Steps.RunTwice(before, after);
        Steps.Are(results, "KvPageLayout.Parse", IncrementalStepRunReason.Unchanged);
        Steps.Are(results, "KvTransfer.Parse", IncrementalStepRunReason.Unchanged);
        Assert.Equal(Enumerable.Repeat(IncrementalStepRunReason.Cached, 3), Steps.Outputs(results));
    }

    [Fact]
    public void A_changed_layout_regenerates_itself_and_the_transfers_that_use_it()
    {
        string transfer = "using Garden.KvCache; namespace Consumer; [KvTransfer<From, To>] partial struct Move;";
        string layouts = Declarations[..Declarations.IndexOf("[KvTransfer", StringComparison.Ordinal)];
        CSharpCompilation before = Sources.Compile(layouts, transfer);
        CSharpCompilation after = before.ReplaceSyntaxTree(before.SyntaxTrees[0], Sources.Parse(layouts.Replace("TokensPerPage = 32", "TokensPerPage = 64", StringComparison.Ordinal)));
        GeneratorRunResult[] results = Steps.RunTwice(before, after);
        Assert.Equal(
            [IncrementalStepRunReason.Unchanged, IncrementalStepRunReason.Modified],
            Steps.Reasons(results, "KvPageLayout.Parse"));
        Steps.Are(results, "KvTransfer.Parse", IncrementalStepRunReason.Modified);
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

    [Fact]
    public void An_edited_model_file_regenerates_the_types_that_name_it()
    {
        CSharpCompilation compilation = Sources.Compile("""
            using Garden.KvCache;
            [KvPageLayout(Model = "a.json", TokensPerPage = 16)] partial struct A;
            [KvPageLayout(Model = "b.json", TokensPerPage = 16)] partial struct B;
            [KvTransfer<A, A>] partial struct Move;
            """);
        AdditionalText a = Config("a.json", 2), b = Config("b.json", 2), index = Sources.File("/c.index.json", "{}");
        GeneratorDriver driver = Sources.Driver(a, b, index).RunGenerators(compilation, TestContext.Current.CancellationToken);

        GeneratorRunResult[] results = Steps.Run(driver.ReplaceAdditionalText(b, Config("b.json", 3)), compilation);
        Steps.Are(results, "KvPageLayout.Parse", IncrementalStepRunReason.Cached);
        Assert.Equal([IncrementalStepRunReason.Unchanged, IncrementalStepRunReason.Modified], Steps.Reasons(results, "KvPageLayout.Resolve"));
        Steps.Are(results, "KvTransfer.Resolve", IncrementalStepRunReason.Unchanged);
        Assert.Equal(
            [IncrementalStepRunReason.Modified, IncrementalStepRunReason.Cached, IncrementalStepRunReason.Cached],
            Steps.Outputs(results).Order());

        // Other content with the same numbers in it, and a file nobody names.
        results = Steps.Run(driver.ReplaceAdditionalText(b, Config("b.json", 2, "\"rope_theta\": 1, ")), compilation);
        Steps.Are(results, "ModelFiles.Configs", IncrementalStepRunReason.Cached);
        Assert.All(Steps.Outputs(results), reason => Assert.Equal(IncrementalStepRunReason.Cached, reason));
        results = Steps.Run(driver.ReplaceAdditionalText(index, Sources.File("/c.index.json", "[")), compilation);
        Assert.All(Steps.Outputs(results), reason => Assert.Equal(IncrementalStepRunReason.Cached, reason));

        static AdditionalText Config(string name, int layers, string more = "") => Sources.File(
            "/" + name, $$"""{{{more}}"num_hidden_layers": {{layers}}, "num_key_value_heads": 1, "head_dim": 8, "dtype": "int8"}""");
    }
}
