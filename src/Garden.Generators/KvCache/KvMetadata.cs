using System.Globalization;
using Microsoft.CodeAnalysis;

namespace Garden.Generators.KvCache;

/// <summary>Names in Garden.Core, and reading the attributes that bear them.</summary>
internal static class KvMetadata
{
    public const string LayoutAttribute = "Garden.KvCache.KvPageLayoutAttribute";
    public const string TransferAttribute = "Garden.KvCache.KvTransferAttribute`2";

    /// <summary>Members a type must not be named after, because they are generated into it.</summary>
    public static readonly HashSet<string> LayoutMembers =
    [
        "Element", "ElementBytes", "Layers", "KvHeads", "LocalKvHeads", "HeadSize", "TokensPerPage", "PlaneCount", "Planes",
        "Axes", "PoolOrder", "TensorParallel", "BytesPerToken", "BytesPerPlane", "BytesPerPage", "LayoutHash", "PoolBytes",
        "PlaneOffset", "ElementOffset", "Gather", "Scatter", "Transfer",
    ];

    /// <inheritdoc cref="LayoutMembers"/>
    public static readonly HashSet<string> TransferMembers =
    [
        "Layers", "SourceLayoutHash", "DestinationLayoutHash", "SourceTokensPerPage", "DestinationTokensPerPage",
        "SourceTensorParallel", "DestinationTensorParallel", "Arguments", "Create", "SourcePoolBytes",
        "DestinationPoolBytes", "Validate", "CountUnits", "CountBytes", "Expand", "Acquire", "Release", "HeadsOf",
        "FirstPageOf", "PagesOf", "PartsOf", "RunBytesOf",
    ];

    /// <summary>The arguments of the attribute; null when one of them does not compile, which is not for us to report.</summary>
    public static KvLayoutDeclaration? Read(AttributeData attribute) => AttributeArguments.Read(attribute) is { } arguments
        ? new KvLayoutDeclaration(
            arguments.Text("Model"),
            arguments.Number("Element"),
            arguments.Number("Layers"),
            arguments.Number("KvHeads"),
            arguments.Number("HeadSize"),
            arguments.Number("LatentSize"),
            arguments.Number("TokensPerPage"),
            arguments.Number("Planes"),
            arguments.Number("Axes"),
            arguments.Number("PoolOrder"),
            arguments.Number("TensorParallel"))
        : null;

    /// <summary>
    /// The layout declared on a type as far as the type tells; null when it tells nothing. A type of another assembly is
    /// complete, and its model file is not at hand here, so its generated constants speak for it.
    /// </summary>
    public static KvLayoutDeclaration? DeclarationOf(ITypeSymbol type, IAssemblySymbol consumer, CancellationToken cancellation)
    {
        foreach (AttributeData attribute in type.GetAttributes())
        {
            if (attribute.AttributeClass is not { Name: "KvPageLayoutAttribute" } definition || definition.ToDisplayString() != LayoutAttribute)
                continue;
            if (type is not INamedTypeSymbol named || TargetTypeRules.Check(named, LayoutMembers, cancellation) is not null || !KernelVisibleFields.AllOf(named))
                return null;
            KvLayoutDeclaration? declaration = Read(attribute);
            return declaration?.Model is not null && !SymbolEqualityComparer.Default.Equals(type.ContainingAssembly, consumer)
                ? FromConstants(type)
                : declaration;
        }

        return null;
    }

    private static KvLayoutDeclaration? FromConstants(ITypeSymbol type)
    {
        bool latent = Constant("Planes") == KvLayout.Latent;
        var declaration = new KvLayoutDeclaration(
            null,
            Constant("Element"),
            Constant("Layers"),
            latent ? null : Constant("KvHeads"),
            latent ? null : Constant("HeadSize"),
            latent ? Constant("HeadSize") : null,
            Constant("TokensPerPage"),
            Constant("Planes"),
            Constant("Axes"),
            Constant("PoolOrder"),
            Constant("TensorParallel"));
        return declaration.Layers is null ? null : declaration;

        int? Constant(string name) => type.GetMembers(name) is [IFieldSymbol { HasConstantValue: true, ConstantValue: { } value }]
            ? Convert.ToInt32(value, CultureInfo.InvariantCulture)
            : null;
    }
}
