namespace Garden.Generators.KvCache;

/// <summary>What is emitted for one <c>[KvPageLayout]</c>.</summary>
internal sealed record KvPageLayoutModel(TargetType Type, KvLayout Layout);
