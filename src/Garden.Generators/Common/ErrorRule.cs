using Microsoft.CodeAnalysis;

namespace Garden.Generators;

/// <summary>A rule as all of ours are: an error that is on, with a page.</summary>
internal static class ErrorRule
{
    public static DiagnosticDescriptor Create(string id, string category, string title, string message) => new(
        id,
        title,
        message,
        category,
        DiagnosticSeverity.Error,
        isEnabledByDefault: true,
        helpLinkUri: HelpLinks.Of(id));
}
