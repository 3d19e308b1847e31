namespace Garden.Generators.KvCache;

/// <summary>The arguments of a <c>[KvPageLayout]</c> as they are written; null where none is.</summary>
internal sealed record KvLayoutDeclaration(
    string? Model,
    int? Element,
    int? Layers,
    int? KvHeads,
    int? HeadSize,
    int? LatentSize,
    int? TokensPerPage,
    int? Planes,
    int? Axes,
    int? PoolOrder,
    int? TensorParallel);
