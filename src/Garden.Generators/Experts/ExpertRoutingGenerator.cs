using Garden.Generators.ModelFiles;
using Microsoft.CodeAnalysis;

namespace Garden.Generators.Experts;

/// <summary>Completes structs annotated with <c>[ExpertRouting]</c>. Silent: <see cref="ExpertAnalyzer"/> reports.</summary>
[Generator(LanguageNames.CSharp)]
public sealed partial class ExpertRoutingGenerator : IIncrementalGenerator
{
    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context) => context.RegisterSourceOutput(
        AnnotatedTypes.With<ExpertDeclaredRouting, ModelConfig, ExpertRoutingModel>(context, ExpertMetadata.RoutingAttribute, "ExpertRouting", ModelFileProvider.Configs(context), Parse, Resolve),
        static (output, model) => output.AddSource(model.Type.HintName("ExpertRouting"), Emit(model)));
}
