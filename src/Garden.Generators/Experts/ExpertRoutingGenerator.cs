using Microsoft.CodeAnalysis;

namespace Garden.Generators.Experts;

/// <summary>Completes structs annotated with <c>[ExpertRouting]</c>. Silent: <see cref="ExpertAnalyzer"/> reports.</summary>
[Generator(LanguageNames.CSharp)]
public sealed partial class ExpertRoutingGenerator : IIncrementalGenerator
{
    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context) => context.RegisterSourceOutput(
        AnnotatedTypes.With<ExpertDeclaredRouting, ExpertRoutingModel>(context, ExpertMetadata.RoutingAttribute, "ExpertRouting", Parse, Resolve),
        static (output, model) => output.AddSource(model.Type.HintName("ExpertRouting"), Emit(model)));
}
