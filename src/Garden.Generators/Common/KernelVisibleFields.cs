using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;

namespace Garden.Generators;

/// <summary>
/// Fields of an annotated struct. Kernels and native code see the struct, so it must be the same bytes for all of them:
/// no references, and no <c>bool</c>, <c>char</c> or <c>decimal</c>, whose bytes differ or do not exist outside .NET.
/// </summary>
internal static class KernelVisibleFields
{
    /// <summary>The instance fields and, where one cannot be, why.</summary>
    public static IEnumerable<(IFieldSymbol Field, string? Reason)> Of(INamedTypeSymbol type) => type.GetMembers()
        .OfType<IFieldSymbol>()
        .Where(field => !field.IsStatic && !field.IsConst)
        .Select(field => (field, Reason(field.Type, new HashSet<ITypeSymbol>(SymbolEqualityComparer.Default))));

    /// <summary>True when every field can be seen by kernels.</summary>
    public static bool AllOf(INamedTypeSymbol type) => Of(type).All(field => field.Reason is null);

    /// <summary>The rule under an id of a feature.</summary>
    public static DiagnosticDescriptor Create(string id, string category) => ErrorRule.Create(
        id,
        category,
        "A field cannot be seen by a kernel",
        "The field '{0}' {1}; '{2}' is passed to kernels and native code as it is, so use a number of fixed size, or make the field static");

    public static void Report(SymbolAnalysisContext context, INamedTypeSymbol type, DiagnosticDescriptor rule)
    {
        foreach ((IFieldSymbol field, string? reason) in Of(type))
        {
            if (reason is null)
                continue;
            // The field behind an automatic property has no place of its own.
            ISymbol named = field.AssociatedSymbol ?? field;
            context.ReportDiagnostic(Diagnostic.Create(rule, named.Locations[0], named.Name, reason, type.Name));
        }
    }

    private static string? Reason(ITypeSymbol type, HashSet<ITypeSymbol> outer) => type switch
    {
        { TypeKind: TypeKind.Error } => null,
        { SpecialType: SpecialType.System_Boolean } => "is a bool",
        { SpecialType: SpecialType.System_Char } => "is a char",
        { SpecialType: SpecialType.System_Decimal } => "is a decimal",
        { IsReferenceType: true } or ITypeParameterSymbol => "is a reference",
        { IsRefLikeType: true } => "holds a reference",
        INamedTypeSymbol { TypeKind: TypeKind.Struct, SpecialType: SpecialType.None } inner when outer.Add(type) => Inner(inner, outer),
        _ => null,
    };

    private static string? Inner(INamedTypeSymbol type, HashSet<ITypeSymbol> outer)
    {
        foreach (IFieldSymbol field in type.GetMembers().OfType<IFieldSymbol>())
        {
            if (!field.IsStatic && Reason(field.Type, outer) is { } reason)
                return $"has a field '{(field.AssociatedSymbol ?? field).Name}' that {reason}";
        }

        return null;
    }
}
