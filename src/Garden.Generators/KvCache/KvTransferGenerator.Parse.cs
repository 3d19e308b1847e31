using Microsoft.CodeAnalysis;

namespace Garden.Generators.KvCache;

public sealed partial class KvTransferGenerator
{
    private static KvTransferModel? Parse(GeneratorAttributeSyntaxContext context, CancellationToken cancellation)
    {
        if (context.TargetSymbol is not INamedTypeSymbol type
            || context.Attributes[0].AttributeClass is not { TypeArguments.Length: 2 } attribute
            || TargetTypeRules.Check(type, KvMetadata.TransferMembers, cancellation) is not null
            || KvMetadata.LayoutOf(attribute.TypeArguments[0], cancellation) is not { } from
            || KvMetadata.LayoutOf(attribute.TypeArguments[1], cancellation) is not { } to
            || KvLayoutRules.CheckPair(from, to).Any())
        {
            return null;
        }

        return new KvTransferModel(TargetTypeParser.Parse(type), from, to);
    }
}
