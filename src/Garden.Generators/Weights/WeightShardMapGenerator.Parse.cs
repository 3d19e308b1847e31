using Garden.Generators.ModelFiles;
using Microsoft.CodeAnalysis;

namespace Garden.Generators.Weights;

public sealed partial class WeightShardMapGenerator
{
    private static WeightDeclaredMap? Parse(GeneratorAttributeSyntaxContext context, CancellationToken cancellation) =>
        context.TargetSymbol is INamedTypeSymbol type
        && TargetTypeRules.Check(type, WeightMetadata.Members, cancellation) is null
        && WeightMetadata.Read(type) is { } declaration
            ? new WeightDeclaredMap(TargetTypeParser.Parse(type), declaration)
            : null;

    private static WeightShardMapModel? Resolve(WeightDeclaredMap model, EquatableArray<ModelFile<SafetensorsIndex>> indexes) =>
        WeightResolver.Resolve(model.Declaration, indexes, out _) is { } tables ? new WeightShardMapModel(model.Type, tables) : null;
}
