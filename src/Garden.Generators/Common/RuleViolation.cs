using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Garden.Generators;

/// <summary>A broken rule: which, at which argument (null for the attribute as a whole), and the values for its message.</summary>
internal sealed record RuleViolation(string Id, string? Argument, params string[] Values)
{
    /// <summary>The diagnostic, at the argument if it is written, else at the attribute.</summary>
    public Diagnostic At(AttributeData attribute, DiagnosticDescriptor rule, CancellationToken cancellation)
    {
        var syntax = attribute.ApplicationSyntaxReference?.GetSyntax(cancellation) as AttributeSyntax;
        SyntaxNode? argument = syntax?.ArgumentList?.Arguments.FirstOrDefault(a => a.NameEquals?.Name.Identifier.ValueText == Argument);
        return Diagnostic.Create(rule, (argument ?? syntax)?.GetLocation(), Values);
    }
}
