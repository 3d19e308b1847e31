using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Garden.Generators.Tests.Weights;

public sealed class WeightsIncrementalTests
{
    private const string First = """
        using Garden.Weights;
        namespace Consumer;
        [WeightShardMap(TrainerMesh = "dp=4", InferenceMesh = "tp=2", Index = "a.index.json")]
        [WeightTensor("w", 8, 4)] partial struct First;
        """;

    private const string Second = """
        using Garden.Weights;
        namespace Consumer;
        [WeightShardMap(TrainerMesh = "dp=4", InferenceMesh = "tp=2")]
        [WeightTensor("v", 8, 4)] partial struct Second;
        """;

    private const string Unrelated = "namespace Consumer; class Unrelated;";

    private static readonly AdditionalText s_index = Sources.File("/m/a.index.json", """{ "weight_map": { "w": "f" } }""");

    [Fact]
    public void An_unrelated_edit_matches_and_regenerates_nothing()
    {
        CSharpCompilation before = Sources.Compile(First, Second, Unrelated);
        CSharpCompilation after = before.ReplaceSyntaxTree(before.SyntaxTrees[2], Sources.Parse(Unrelated + " class Another;"));
        GeneratorRunResult[] results = Steps.RunTwice(before, after, s_index);
        Steps.Are(results, "WeightShardMap.Parse", IncrementalStepRunReason.Unchanged);
        Steps.Are(results, "ModelFiles.Index", IncrementalStepRunReason.Cached);
        Steps.Are(results, "ModelFiles.Indexes", IncrementalStepRunReason.Cached);
        Steps.Are(results, "WeightShardMap.Resolve", IncrementalStepRunReason.Cached);
        Steps.Are(results, "WeightShardMap.Valid", IncrementalStepRunReason.Cached);
        Assert.Equal([IncrementalStepRunReason.Cached, IncrementalStepRunReason.Cached], Steps.Outputs(results));
    }

    [Fact]
    public void An_edit_beside_the_attributes_matches_nothing_again()
    {
        CSharpCompilation before = Sources.Compile(First, Second);
        CSharpCompilation after = before.ReplaceSyntaxTree(before.SyntaxTrees[0], Sources.Parse("// moved down\n" + First));
        GeneratorRunResult[] results = Steps.RunTwice(before, after, s_index);
        Steps.Are(results, "WeightShardMap.Parse", IncrementalStepRunReason.Unchanged);
        Steps.Are(results, "WeightShardMap.Resolve", IncrementalStepRunReason.Cached);
    }

    [Fact]
    public void An_edited_attribute_regenerates_its_type_only()
    {
        CSharpCompilation before = Sources.Compile(First, Second);
        CSharpCompilation after = before.ReplaceSyntaxTree(before.SyntaxTrees[1], Sources.Parse(Second.Replace("8, 4", "8, 6", StringComparison.Ordinal)));
        GeneratorRunResult[] results = Steps.RunTwice(before, after, s_index);
        Assert.Equal([IncrementalStepRunReason.Unchanged, IncrementalStepRunReason.Modified], Steps.Reasons(results, "WeightShardMap.Parse"));
        Assert.Equal([IncrementalStepRunReason.Cached, IncrementalStepRunReason.Modified], Steps.Reasons(results, "WeightShardMap.Resolve"));
        Assert.Equal([IncrementalStepRunReason.Cached, IncrementalStepRunReason.Modified], Steps.Outputs(results));
    }

    [Fact]
    public void An_index_that_lists_the_same_regenerates_nothing_and_another_one_does()
    {
        CSharpCompilation compilation = Sources.Compile(First);
        GeneratorDriver driver = Sources.Driver(s_index).RunGenerators(compilation, TestContext.Current.CancellationToken);
        AdditionalText same = Sources.File("/m/a.index.json", """{ "metadata": {}, "weight_map": { "w": "g" } }""");
        GeneratorRunResult[] results = Steps.Run(driver.ReplaceAdditionalText(s_index, same), compilation);
        Steps.Are(results, "WeightShardMap.Resolve", IncrementalStepRunReason.Cached);
        AdditionalText more = Sources.File("/m/a.index.json", """{ "weight_map": { "w": "g", "x": "g" } }""");
        results = Steps.Run(driver.ReplaceAdditionalText(s_index, more), compilation);
        Steps.Are(results, "ModelFiles.Indexes", IncrementalStepRunReason.Modified);
        Assert.DoesNotContain(results, result => result.GeneratedSources.Length != 0);
    }
}
