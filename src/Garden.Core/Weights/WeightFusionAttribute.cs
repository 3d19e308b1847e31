namespace Garden.Weights;

/// <summary>
/// Tensors that the inference rank holds as one, one below the other along dimension 0, as kernels want q, k and v or gate and up:
/// a rank's part of the fused tensor is its part of the first member, then its part of the second, and so on.
/// </summary>
/// <param name="name">The name of the fused tensor, with the members' variables.</param>
/// <param name="members">Patterns of two or more rules of the same type, as they are written there, in order.</param>
[AttributeUsage(AttributeTargets.Struct, AllowMultiple = true)]
public sealed class WeightFusionAttribute(string name, params string[] members) : Attribute
{
    /// <summary>The name of the fused tensor.</summary>
    public string Name { get; } = name;

    /// <summary>The members' patterns, in order.</summary>
    public string[] Members { get; } = members;
}
