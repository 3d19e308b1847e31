using Garden.Generators.ModelFiles;
using Microsoft.CodeAnalysis;

namespace Garden.Generators.Weights;

/// <summary>
/// Completes structs annotated with <c>[WeightShardMap]</c>. Silent: <see cref="WeightsAnalyzer"/> reports. Rules are matched with
/// the names of an index once for each state of the attributes and the file.
/// </summary>
[Generator(LanguageNames.CSharp)]
public sealed partial class WeightShardMapGenerator : IIncrementalGenerator
{
    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context) => context.RegisterSourceOutput(
        AnnotatedTypes.With<WeightDeclaredMap, SafetensorsIndex, WeightShardMapModel>(
            context, WeightMetadata.MapAttribute, "WeightShardMap", ModelFileProvider.Indexes(context), Parse, Resolve),
        static (output, model) => output.AddSource(model.Type.HintName("WeightShardMap"), Emit(model)));
}
