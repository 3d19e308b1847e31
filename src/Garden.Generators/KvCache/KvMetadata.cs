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
    public static KvLayoutDeclaration? Read(AttributeData attribute)
    {
        var values = new Dictionary<string, int>();
        foreach (KeyValuePair<string, TypedConstant> argument in attribute.NamedArguments)
        {
            switch (argument.Value.Value)
            {
                case int value:
                    values[argument.Key] = value;
                    break;
                case byte value:
                    values[argument.Key] = value;
                    break;
                default:
                    return null;
            }
        }

        return new KvLayoutDeclaration(
            Value("Element"),
            Value("Layers"),
            Value("KvHeads"),
            Value("HeadSize"),
            Value("LatentSize"),
            Value("TokensPerPage"),
            Value("Planes"),
            Value("Axes"),
            Value("PoolOrder"),
            Value("TensorParallel"));

        int? Value(string name) => values.TryGetValue(name, out int value) ? value : null;
    }

    /// <summary>The valid layout declared on a type, which may come from another assembly; null when it has none.</summary>
    public static KvLayout? LayoutOf(ITypeSymbol type, CancellationToken cancellation)
    {
        foreach (AttributeData attribute in type.GetAttributes())
        {
            if (attribute.AttributeClass is not { Name: "KvPageLayoutAttribute" } definition || definition.ToDisplayString() != LayoutAttribute)
                continue;
            return type is INamedTypeSymbol named
                && TargetTypeRules.Check(named, LayoutMembers, cancellation) is null
                && Read(attribute) is { } declaration
                ? KvLayoutRules.TryCreate(declaration, out _)
                : null;
        }

        return null;
    }
}
