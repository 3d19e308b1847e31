using Garden.Generators.ModelFiles;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Garden.Generators.Weights;

/// <summary>
/// Completes structs annotated with <c>[WeightShardMap]</c>. Silent: <see cref="WeightsAnalyzer"/> reports. Rules are matched with
/// the names of an index once for each state of the attributes and the file.
/// </summary>
[Generator(LanguageNames.CSharp)]
public sealed partial class WeightShardMapGenerator : IIncrementalGenerator
{
    internal const string ParseStep = "WeightShardMap.Parse";
    internal const string ValidStep = "WeightShardMap.Valid";
    internal const string MatchStep = "WeightShardMap.Match";

    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        IncrementalValuesProvider<WeightDeclarationModel> declarations = context.SyntaxProvider
            .ForAttributeWithMetadataName(WeightMetadata.MapAttribute, static (node, _) => node is TypeDeclarationSyntax, Parse)
            .WithTrackingName(ParseStep)
            .Where(static model => model is not null)
            .Select(static (model, _) => model!)
            .WithTrackingName(ValidStep);
        IncrementalValuesProvider<WeightShardMapModel?> models = declarations
            .Combine(ModelFileProvider.Indexes(context))
            .Select(static (pair, _) => Match(pair.Left, pair.Right))
            .WithTrackingName(MatchStep);
        context.RegisterSourceOutput(models, static (output, model) =>
        {
            if (model is not null)
                output.AddSource(model.Type.HintName("WeightShardMap"), Emit(model));
        });
    }
}
