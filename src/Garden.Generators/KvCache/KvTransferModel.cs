namespace Garden.Generators.KvCache;

/// <summary>What is emitted for one <c>[KvTransfer]</c>.</summary>
internal sealed record KvTransferModel(TargetType Type, KvLayout From, KvLayout To);
