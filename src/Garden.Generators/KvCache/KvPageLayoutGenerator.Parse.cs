using Microsoft.CodeAnalysis;

namespace Garden.Generators.KvCache;

public sealed partial class KvPageLayoutGenerator
{
    private static KvPageLayoutModel? Parse(GeneratorAttributeSyntaxContext context, CancellationToken cancellation) =>
        context.TargetSymbol is INamedTypeSymbol type && KvMetadata.LayoutOf(type, cancellation) is { } layout
            ? new KvPageLayoutModel(TargetTypeParser.Parse(type), layout)
            : null;
}
