using Garden.Generators.ModelFiles;
using Microsoft.CodeAnalysis;

namespace Garden.Generators.Experts;

public sealed partial class ExpertRoutingGenerator
{
    private static ExpertDeclaredRouting? Parse(GeneratorAttributeSyntaxContext context, CancellationToken cancellation) =>
        context.TargetSymbol is INamedTypeSymbol type
        && TargetTypeRules.Check(type, ExpertMetadata.Members, cancellation) is null
        && KernelVisibleFields.AllOf(type)
        && ExpertMetadata.Read(context.Attributes[0]) is { } declaration
            ? new ExpertDeclaredRouting(TargetTypeParser.Parse(type), declaration)
            : null;

    private static ExpertRoutingModel? Resolve(ExpertDeclaredRouting declared, EquatableArray<ModelFile<ModelConfig>> configs) =>
        ExpertRules.TryCreate(declared.Routing, configs, out _) is { } routing ? new ExpertRoutingModel(declared.Type, routing) : null;
}
