using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Garden.Generators;

/// <summary>What a type must be for a generator to complete it. Used by the generators and by the analyzer.</summary>
internal static class TargetTypeRules
{
    /// <summary>What is wrong with the type, as the end of a sentence that begins with its name; null when nothing is.</summary>
    public static string? Check(INamedTypeSymbol type, ICollection<string> generatedMembers, CancellationToken cancellation)
    {
        if (type.TypeKind != TypeKind.Struct || type.IsRefLikeType)
            return "must be an ordinary struct";
        if (type.TypeParameters.Length != 0)
            return "must not be generic";
        if (type.IsFileLocal)
            return "must not be file-local; its other part is in another file";
        if (generatedMembers.Contains(type.Name))
            return "has the name of one of its generated members; rename it";
        foreach (SyntaxReference reference in type.DeclaringSyntaxReferences)
        {
            if (reference.GetSyntax(cancellation) is not TypeDeclarationSyntax declaration)
                continue;
            if (!IsPartial(declaration))
                return "must be declared partial";
            if (declaration.ParameterList is not null)
                return "must not have a primary constructor";
        }

        for (INamedTypeSymbol? outer = type.ContainingType; outer is not null; outer = outer.ContainingType)
        {
            if (outer.TypeParameters.Length != 0)
                return $"must not be nested in the generic type '{outer.Name}'";
            foreach (SyntaxReference reference in outer.DeclaringSyntaxReferences)
            {
                if (reference.GetSyntax(cancellation) is TypeDeclarationSyntax declaration && !IsPartial(declaration))
                    return $"is nested in '{outer.Name}', which must be declared partial too";
            }
        }

        return null;
    }

    private static bool IsPartial(TypeDeclarationSyntax declaration) => declaration.Modifiers.Any(SyntaxKind.PartialKeyword);
}
