namespace Garden.Generators.Weights;

/// <summary>A valid type with a map, before the model files are looked at.</summary>
internal sealed record WeightDeclarationModel(TargetType Type, WeightMapDeclaration Declaration);

/// <summary>What is emitted for one <c>[WeightShardMap]</c>.</summary>
internal sealed record WeightShardMapModel(TargetType Type, WeightTables Tables);
