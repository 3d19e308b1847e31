using Garden.Generators.ModelFiles;
using Microsoft.CodeAnalysis;

namespace Garden.Generators.KvCache;

public sealed partial class KvPageLayoutGenerator
{
    private static KvDeclaredLayout? Parse(GeneratorAttributeSyntaxContext context, CancellationToken cancellation) =>
        context.TargetSymbol is INamedTypeSymbol type
        && KvMetadata.DeclarationOf(type, context.SemanticModel.Compilation.Assembly, cancellation) is { } layout
            ? new KvDeclaredLayout(TargetTypeParser.Parse(type), layout)
            : null;

    private static KvPageLayoutModel? Resolve(KvDeclaredLayout declared, EquatableArray<ModelFile<ModelConfig>> configs) =>
        KvLayoutRules.TryCreate(declared.Layout, configs, out _) is { } layout ? new KvPageLayoutModel(declared.Type, layout) : null;
}
