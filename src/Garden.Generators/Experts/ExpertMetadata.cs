using Microsoft.CodeAnalysis;

namespace Garden.Generators.Experts;

/// <summary>Names in Garden.Core, and reading the attribute that bears them.</summary>
internal static class ExpertMetadata
{
    public const string RoutingAttribute = "Garden.Experts.ExpertRoutingAttribute";

    /// <summary>Members a type must not be named after, because they are generated into it.</summary>
    public static readonly HashSet<string> Members =
    [
        "Experts", "TopK", "HiddenSize", "Element", "ElementBytes", "ScaleBlock", "ScaleCount", "CombineElement",
        "CombineElementBytes", "MaxTokens", "Ranks", "RanksPerNode", "ExpertPadding", "PadExperts", "ExactCombine", "ScalesOffset",
        "SelectionsOffset", "WeightsOffset", "RowBytes", "CombineRowBytes", "RoutingHash", "Group", "ReceiveBytes",
        "DispatchBytes", "CombineBytes", "DispatchStagingBytes", "RegisteredBytes", "ContiguousRows", "SlabRows",
    ];

    /// <summary>The arguments of the attribute; null when one of them does not compile, which is not for us to report.</summary>
    public static ExpertDeclaration? Read(AttributeData attribute) => AttributeArguments.Read(attribute) is { } arguments
        ? new ExpertDeclaration(
            arguments.Text("Model"),
            arguments.Number("Experts"),
            arguments.Number("TopK"),
            arguments.Number("HiddenSize"),
            arguments.Number("Element"),
            arguments.Number("ScaleBlock"),
            arguments.Number("CombineElement"),
            arguments.Number("MaxTokens"),
            arguments.Number("Ranks"),
            arguments.Number("RanksPerNode"),
            arguments.Number("ExpertPadding"),
            arguments.Flag("PadExperts"),
            arguments.Flag("ExactCombine"))
        : null;
}
