namespace Garden.Generators.Weights;

/// <summary>Which of a type's attributes.</summary>
internal enum WeightAttribute
{
    /// <summary>The map.</summary>
    Map,

    /// <summary>A rule.</summary>
    Tensor,

    /// <summary>A fusion.</summary>
    Fusion,
}

/// <summary>A broken rule: which, at which attribute and argument, and the values for its message.</summary>
/// <param name="Attribute">The kind of attribute.</param>
/// <param name="Index">Which of its kind.</param>
/// <param name="Violation">The rest; the argument is a name, or a position where it is digits.</param>
internal sealed record WeightViolation(WeightAttribute Attribute, int Index, RuleViolation Violation);

/// <summary>Collects violations.</summary>
internal sealed class WeightViolations
{
    private readonly List<WeightViolation> _found = [];

    public IReadOnlyList<WeightViolation> Found => _found;

    public bool Any => _found.Count != 0;

    public void AtMap(string id, string? argument, params string[] values) => Add(WeightAttribute.Map, 0, new RuleViolation(id, argument, values));

    public void AtTensor(int index, string id, string? argument, params string[] values) => Add(WeightAttribute.Tensor, index, new RuleViolation(id, argument, values));

    public void AtFusion(int index, string id, string? argument, params string[] values) => Add(WeightAttribute.Fusion, index, new RuleViolation(id, argument, values));

    public void Add(WeightAttribute attribute, int index, RuleViolation violation) => _found.Add(new WeightViolation(attribute, index, violation));
}
