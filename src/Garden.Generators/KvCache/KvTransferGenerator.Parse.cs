using Garden.Generators.ModelFiles;
using Microsoft.CodeAnalysis;

namespace Garden.Generators.KvCache;

public sealed partial class KvTransferGenerator
{
    private static KvDeclaredTransfer? Parse(GeneratorAttributeSyntaxContext context, CancellationToken cancellation)
    {
        IAssemblySymbol consumer = context.SemanticModel.Compilation.Assembly;
        if (context.TargetSymbol is not INamedTypeSymbol type
            || context.Attributes[0].AttributeClass is not { TypeArguments.Length: 2 } attribute
            || TargetTypeRules.Check(type, KvMetadata.TransferMembers, cancellation) is not null
            || !KernelVisibleFields.AllOf(type)
            || KvMetadata.DeclarationOf(attribute.TypeArguments[0], consumer, cancellation) is not { } from
            || KvMetadata.DeclarationOf(attribute.TypeArguments[1], consumer, cancellation) is not { } to)
        {
            return null;
        }

        return new KvDeclaredTransfer(TargetTypeParser.Parse(type), from, to);
    }

    private static KvTransferModel? Resolve(KvDeclaredTransfer declared, EquatableArray<ModelFile<ModelConfig>> configs) =>
        KvLayoutRules.TryCreate(declared.From, configs, out _) is { } from
        && KvLayoutRules.TryCreate(declared.To, configs, out _) is { } to
        && !KvLayoutRules.CheckPair(from, to).Any()
            ? new KvTransferModel(declared.Type, from, to)
            : null;
}
