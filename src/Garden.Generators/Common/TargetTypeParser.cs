using Microsoft.CodeAnalysis;

namespace Garden.Generators;

/// <summary>Turns the annotated symbol into a <see cref="TargetType"/>.</summary>
internal static class TargetTypeParser
{
    private static readonly SymbolDisplayFormat s_name = new(
        miscellaneousOptions: SymbolDisplayMiscellaneousOptions.EscapeKeywordIdentifiers);

    private static readonly SymbolDisplayFormat s_namespace = new(
        typeQualificationStyle: SymbolDisplayTypeQualificationStyle.NameAndContainingTypesAndNamespaces,
        miscellaneousOptions: SymbolDisplayMiscellaneousOptions.EscapeKeywordIdentifiers);

    public static TargetType Parse(INamedTypeSymbol type)
    {
        var containers = new Stack<string>();
        string metadataName = type.MetadataName;
        for (INamedTypeSymbol? outer = type.ContainingType; outer is not null; outer = outer.ContainingType)
        {
            containers.Push($"partial {KeywordOf(outer)} {outer.ToDisplayString(s_name)}");
            metadataName = $"{outer.MetadataName}.{metadataName}";
        }

        INamespaceSymbol space = type.ContainingNamespace;
        bool global = space.IsGlobalNamespace;
        return new TargetType(
            global ? "" : space.ToDisplayString(s_namespace),
            new EquatableArray<string>(containers),
            KeywordOf(type),
            type.ToDisplayString(s_name),
            // Escaped keywords would put a character into file names that they must not have.
            global ? metadataName : $"{space.ToDisplayString(s_namespace).Replace("@", "")}.{metadataName}");
    }

    private static string KeywordOf(INamedTypeSymbol type) => (type.TypeKind, type.IsRecord) switch
    {
        (TypeKind.Struct, true) => "record struct",
        (TypeKind.Struct, false) => "struct",
        (TypeKind.Interface, _) => "interface",
        (_, true) => "record",
        _ => "class",
    };
}
