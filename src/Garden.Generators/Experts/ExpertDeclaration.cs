namespace Garden.Generators.Experts;

/// <summary>The arguments of an <c>[ExpertRouting]</c> as they are written; null where none is.</summary>
internal sealed record ExpertDeclaration(
    string? Model,
    int? Experts,
    int? TopK,
    int? HiddenSize,
    int? Element,
    int? ScaleBlock,
    int? CombineElement,
    int? MaxTokens,
    int? Ranks,
    int? RanksPerNode,
    int? ExpertPadding,
    bool PadExperts,
    bool ExactCombine);
