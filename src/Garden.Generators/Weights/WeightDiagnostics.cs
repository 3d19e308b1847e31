using Garden.Generators.ModelFiles;
using Microsoft.CodeAnalysis;

namespace Garden.Generators.Weights;

/// <summary>The diagnostics of shard maps; each has a page under docs/diagnostics.</summary>
internal static class WeightDiagnostics
{
    public static readonly DiagnosticDescriptor TargetType = Create(
        "GRDN0050", "The type with a shard map cannot be completed by the generator", "'{0}' {1}");

    public static readonly DiagnosticDescriptor Dimension = Create(
        "GRDN0051", "A dimension of a tensor is missing or not positive", "{0} of '{1}' is {2}; give positive numbers, outermost first");

    public static readonly DiagnosticDescriptor Option = Create(
        "GRDN0052", "An element type or conversion is not supported", "{0} is not a value of {1}; use one of {2}");

    public static readonly DiagnosticDescriptor Pattern = Create(
        "GRDN0053", "A name is not a pattern", "'{0}' is no pattern over names: {1}");

    public static readonly DiagnosticDescriptor Placement = Create(
        "GRDN0054", "A mesh or a placement is malformed", "'{0}' cannot be the {1}: {2}");

    public static readonly DiagnosticDescriptor NotDivisible = Create(
        "GRDN0055", "A split does not divide", "{0} of '{1}' do not divide over {2}; {3}");

    public static readonly DiagnosticDescriptor Size = Create(
        "GRDN0056", "The model is too large", "{0} has {1}, more than {2}; correct the shape or the ranges");

    public static readonly DiagnosticDescriptor Unmatched = Create(
        "GRDN0057", "A tensor is matched by no rule", "'{0}'{1} of the index is matched by no rule; add a [WeightTensor] for it");

    public static readonly DiagnosticDescriptor Unused = Create(
        "GRDN0058", "A rule matches no tensor", "'{0}' matches no tensor of '{1}'; correct the pattern or remove the rule");

    public static readonly DiagnosticDescriptor Ambiguous = Create(
        "GRDN0059", "Two rules match one tensor", "'{0}' is matched by '{1}' and by '{2}'; restrict one of them by a range or remove it");

    public static readonly DiagnosticDescriptor Fusion = Create(
        "GRDN0060", "Tensors cannot be fused", "'{0}' cannot be fused: {1}");

    public static readonly DiagnosticDescriptor Incomplete = Create(
        "GRDN0061", "The tensors of a rule are not known or have gaps", "'{0}' {1}");

    public static readonly DiagnosticDescriptor Conversion = Create(
        "GRDN0062", "A tensor cannot be converted", "'{0}' cannot be converted to FP8 with block scales: {1}");

    /// <summary>The rule of an identifier, also of the model files'.</summary>
    public static DiagnosticDescriptor Of(string id) => id switch
    {
        "GRDN0051" => Dimension,
        "GRDN0052" => Option,
        "GRDN0053" => Pattern,
        "GRDN0054" => Placement,
        "GRDN0055" => NotDivisible,
        "GRDN0056" => Size,
        "GRDN0057" => Unmatched,
        "GRDN0058" => Unused,
        "GRDN0059" => Ambiguous,
        "GRDN0060" => Fusion,
        "GRDN0061" => Incomplete,
        "GRDN0062" => Conversion,
        _ => ModelFileDiagnostics.Of(id) ?? throw new ArgumentOutOfRangeException(nameof(id), id, "Not a rule of shard maps."),
    };

    private static DiagnosticDescriptor Create(string id, string title, string message) => new(
        id,
        title,
        message,
        "Garden.Weights",
        DiagnosticSeverity.Error,
        isEnabledByDefault: true,
        helpLinkUri: HelpLinks.Of(id));
}
