namespace Garden.Generators.Weights;

/// <summary>A <c>[WeightShardMap]</c> and its rules as the text has them; the index file, if any, is not read yet.</summary>
internal sealed record WeightDeclaredMap(TargetType Type, WeightMapDeclaration Declaration);
