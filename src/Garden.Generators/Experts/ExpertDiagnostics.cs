using System.Collections.Immutable;
using Garden.Generators.ModelFiles;
using Microsoft.CodeAnalysis;

namespace Garden.Generators.Experts;

/// <summary>The diagnostics of <c>[ExpertRouting]</c>; each has a page under docs/diagnostics.</summary>
internal static class ExpertDiagnostics
{
    public static readonly DiagnosticDescriptor TargetType = Create(
        "GRDN0030", "The annotated type cannot be completed by the generator", "'{0}' {1}");

    public static readonly DiagnosticDescriptor Dimension = Create(
        "GRDN0031", "A dimension is missing or not positive", "{0} is {1}; set it to a positive number");

    public static readonly DiagnosticDescriptor Experts = Create(
        "GRDN0032",
        "Experts cannot be divided over the ranks",
        "{0} experts cannot be divided over {1} ranks; change Ranks, or set PadExperts = true so that the last ranks hold fewer");

    public static readonly DiagnosticDescriptor TopK = Create(
        "GRDN0033", "More experts are chosen than there are", "TopK is {0}, but there are {1} experts; a token chooses each at most once");

    public static readonly DiagnosticDescriptor Vector = Create(
        "GRDN0034",
        "The hidden size is not a multiple of the vector width",
        "HiddenSize is {0}, no multiple of {1}; with {2} {3} rows are moved in vectors of {4} bytes, so fill the hidden size up");

    public static readonly DiagnosticDescriptor Scale = Create(
        "GRDN0035", "Element type and scale block do not fit", "{0}");

    public static readonly DiagnosticDescriptor Size = Create(
        "GRDN0036", "The routing is too large", "{0} would have {1} {2}, more than {3}; use fewer tokens or ranks");

    public static readonly DiagnosticDescriptor Write = Create(
        "GRDN0037",
        "A slot does not fit one write",
        "The {0} of {1} tokens to one rank takes {2} bytes, more than one write with an immediate carries ({3}); set MaxTokens to {4} or less and send more tokens in several rounds");

    public static readonly DiagnosticDescriptor Option = Create(
        "GRDN0038", "An option has a value that is not supported", "{0} cannot be {1}; use one of {2}");

    public static readonly DiagnosticDescriptor Field = KernelVisibleFields.Create("GRDN0039", Category);

    public static readonly ImmutableArray<DiagnosticDescriptor> All =
    [
        TargetType, Dimension, Experts, TopK, Vector, Scale, Size, Write, Option, Field, .. ModelFileDiagnostics.All,
    ];

    private const string Category = "Garden.Experts";

    public static DiagnosticDescriptor Of(string id) => All.First(rule => rule.Id == id);

    private static DiagnosticDescriptor Create(string id, string title, string message) => ErrorRule.Create(id, Category, title, message);
}
