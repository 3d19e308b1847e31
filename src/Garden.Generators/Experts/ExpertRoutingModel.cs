namespace Garden.Generators.Experts;

/// <summary>What is emitted for one <c>[ExpertRouting]</c>.</summary>
internal sealed record ExpertRoutingModel(TargetType Type, ExpertRouting Routing);
