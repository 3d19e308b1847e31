namespace Garden.Generators.Weights;

/// <summary>What is emitted for one <c>[WeightShardMap]</c>.</summary>
internal sealed record WeightShardMapModel(TargetType Type, WeightTables Tables);
