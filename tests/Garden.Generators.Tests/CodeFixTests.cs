using System.Collections.Immutable;
using Garden.Generators.CodeFixes;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;

namespace Garden.Generators.Tests;

public sealed class CodeFixTests
{
    private const string Layout = "[KvPageLayout(Layers = 2, LatentSize = 8, TokensPerPage = 16)]";

    [Theory]
    [InlineData("/// <summary>Doc.</summary>\n{0}\nstruct L;", "/// <summary>Doc.</summary>\n{0}\npartial struct L;", "Make 'L' partial")]
    [InlineData("{0} internal readonly record struct L;", "{0} internal readonly partial record struct L;", "Make 'L' partial")]
    [InlineData("static class Outer\n{\n    // Inner.\n    record Inner { {0} partial struct L; }\n}", "static partial class Outer\n{\n    // Inner.\n    partial record Inner { {0} partial struct L; }\n}", "Make 'L' partial")]
    [InlineData("class Outer { {0} struct L; }", "partial class Outer { {0} partial struct L; }", "Make 'L' partial")]
    [InlineData("{0}\n// A class.\nsealed class L { int x; }", "{0}\n// A class.\npartial struct L { int x; }", "Make 'L' a partial struct")]
    [InlineData("{0}\ninternal sealed class L;", "{0}\ninternal partial struct L;", "Make 'L' a partial struct")]
    [InlineData("{0}\nrecord L;", "{0}\npartial record struct L;", "Make 'L' a partial struct")]
    [InlineData("{0} internal record class L { }", "{0} internal partial record struct L { }", "Make 'L' a partial struct")]
    [InlineData("{0}\nref struct L;", "{0}\npartial struct L;", "Make 'L' a partial struct")]
    [InlineData("{0} ref partial struct L;", "{0} partial struct L;", "Make 'L' a partial struct")]
    public async Task The_type_becomes_one_that_can_be_completed(string before, string after, string title)
    {
        before = "using Garden.KvCache;\n" + before.Replace("{0}", Layout, StringComparison.Ordinal);
        after = "using Garden.KvCache;\n" + after.Replace("{0}", Layout, StringComparison.Ordinal);
        Assert.Equal((after, title), await Fix(before, "GRDN0001"));
        Assert.Empty(await Sources.Analyze(Sources.Compile(after)));
        Assert.Equal(2, Sources.Generate(Sources.Compile(after)).SyntaxTrees.Count());
    }

    [Theory]
    [InlineData("[Garden.Experts.ExpertRouting(Experts = 8, TopK = 2, HiddenSize = 64, MaxTokens = 1)]", "GRDN0030")]
    [InlineData("[Garden.Weights.WeightShardMap(TrainerMesh = \"dp=4\", InferenceMesh = \"tp=2\"), Garden.Weights.WeightTensor(\"w\", 8, 4)]", "GRDN0050")]
    public async Task Routings_and_shard_maps_are_fixed_too(string attributes, string id) =>
        Assert.Equal(($"{attributes} partial struct S;", "Make 'S' partial"), await Fix($"{attributes} struct S;", id));

    [Fact]
    public async Task Maps_are_fixed_too() => Assert.Equal(
        ("[Garden.Weights.WeightShardMap(TrainerMesh = \"a=1\", InferenceMesh = \"a=1\"), Garden.Weights.WeightTensor(\"w\", 8)] partial struct M;", "Make 'M' partial"),
        await Fix("[Garden.Weights.WeightShardMap(TrainerMesh = \"a=1\", InferenceMesh = \"a=1\"), Garden.Weights.WeightTensor(\"w\", 8)] struct M;", "GRDN0050"));

    [Theory]
    [InlineData("partial struct Transfer;")]
    [InlineData("partial struct L<T>;")]
    public async Task What_is_not_mechanical_is_left_to_the_author(string type) =>
        Assert.Equal((null, null), await Fix($"using Garden.KvCache; {Layout} {type}", "GRDN0001"));

    [Fact]
    public void The_fix_needs_no_newer_editor_than_the_generator() => Assert.All(
        typeof(TargetTypeCodeFix).Assembly.GetReferencedAssemblies().Where(name => name.Name!.StartsWith("Microsoft.CodeAnalysis", StringComparison.Ordinal)),
        name => Assert.Equal(new Version(5, 0, 0, 0), name.Version));

    /// <summary>The text after the only fix on offer, and its title.</summary>
    private static async Task<(string? Text, string? Title)> Fix(string source, string id)
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        Compilation compilation = Sources.Compile(source);
        using var workspace = new AdhocWorkspace();
        Project project = workspace.AddProject("Consumer", LanguageNames.CSharp).WithMetadataReferences(compilation.References);
        Document document = project.AddDocument("Consumer.cs", source);
        Diagnostic diagnostic = (await Sources.Analyze(compilation)).Single(diagnostic => diagnostic.Id == id);
        var actions = new List<CodeAction>();
        var context = new CodeFixContext(document, diagnostic.Location.SourceSpan, ImmutableArray.Create(diagnostic), (action, _) => actions.Add(action), cancellation);
        await new TargetTypeCodeFix().RegisterCodeFixesAsync(context);
        if (actions.Count == 0)
            return (null, null);
        CodeAction action = Assert.Single(actions);
        ImmutableArray<CodeActionOperation> operations = await action.GetOperationsAsync(cancellation);
        Solution changed = operations.OfType<ApplyChangesOperation>().Single().ChangedSolution;
        return ((await changed.GetDocument(document.Id)!.GetTextAsync(cancellation)).ToString(), action.Title);
    }
}
