using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Garden.Generators.Tests.Experts;

public sealed class ExpertGeneratorTests
{
    [Fact]
    public void Names_in_scope_do_not_get_in_the_way()
    {
        Compilation output = Sources.Generate(Sources.Compile("""
            namespace System.Garden
            {
                /// <summary>In the way.</summary>
                public class ExpertBuffers;
                /// <summary>In the way.</summary>
                public class Experts;
                /// <summary>In the way.</summary>
                public class Garden;

                /// <summary>A routing.</summary>
                [global::Garden.Experts.ExpertRouting(Experts = 8, TopK = 2, HiddenSize = 64, MaxTokens = 16)]
                public partial struct System;

                /// <summary>Outer.</summary>
                public static partial class @event
                {
                    /// <summary>A routing.</summary>
                    [global::Garden.Experts.ExpertRouting(Experts = 8, TopK = 2, HiddenSize = 64, MaxTokens = 16, Ranks = 4)]
                    public readonly partial record struct @struct;
                }
            }
            """));
        Assert.Empty(output.GetDiagnostics());
        using var image = new MemoryStream();
        Assert.True(output.Emit(image).Success);
    }

    [Fact]
    public void An_edit_re_runs_what_it_changes()
    {
        string[] routings =
        [
            "using Garden.Experts; [ExpertRouting(Model = \"a.json\", MaxTokens = 16)] partial struct A;",
            "using Garden.Experts; [ExpertRouting(Experts = 8, TopK = 2, HiddenSize = 64, MaxTokens = 16)] partial struct B;",
            "class Unrelated;",
        ];
        AdditionalText file = Sources.File("/a.json", """{"num_experts": 8, "num_experts_per_tok": 2, "hidden_size": 64}""");
        CSharpCompilation before = Sources.Compile(routings);

        GeneratorRunResult[] unrelated = Steps.RunTwice(before, Edit(before, 2, "class Unrelated; class Another;"), file);
        Steps.Are(unrelated, "ExpertRouting.Parse", IncrementalStepRunReason.Unchanged);
        foreach (string step in (string[])["ModelFiles.Config", "ModelFiles.Configs", "ExpertRouting.Resolve", "ExpertRouting.Valid"])
            Steps.Are(unrelated, step, IncrementalStepRunReason.Cached);
        Assert.Equal([IncrementalStepRunReason.Cached, IncrementalStepRunReason.Cached], Steps.Outputs(unrelated));

        GeneratorRunResult[] edited = Steps.RunTwice(before, Edit(before, 1, routings[1].Replace("TopK = 2", "TopK = 3", StringComparison.Ordinal)), file);
        Assert.Equal([IncrementalStepRunReason.Modified, IncrementalStepRunReason.Cached], Steps.Outputs(edited).Order());
        Assert.Equal([IncrementalStepRunReason.Modified, IncrementalStepRunReason.Cached], Steps.Reasons(edited, "ExpertRouting.Resolve").Order());

        static CSharpCompilation Edit(CSharpCompilation compilation, int tree, string text) =>
            compilation.ReplaceSyntaxTree(compilation.SyntaxTrees[tree], Sources.Parse(text));
    }
}
