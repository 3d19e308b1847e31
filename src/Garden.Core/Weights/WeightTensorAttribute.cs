namespace Garden.Weights;

/// <summary>A rule of a <see cref="WeightShardMapAttribute"/>: tensors of one shape, by a pattern over their names.</summary>
/// <remarks>
/// <c>{layer}</c> stands for a number, and so does every other word in braces; <c>{expert}</c> is the number that
/// <c>expert(axis)</c> deals out. <c>{layer:3..61}</c> stands for 3 to 60 and is needed where no index file says which there are.
/// Every combination of the other variables that exists must have all experts from 0 on.
/// </remarks>
/// <param name="name">The pattern, such as <c>model.layers.{layer}.self_attn.q_proj.weight</c>.</param>
/// <param name="shape">Elements along each dimension, of the whole tensor, outermost first.</param>
[AttributeUsage(AttributeTargets.Struct, AllowMultiple = true)]
public sealed class WeightTensorAttribute(string name, params int[] shape) : Attribute
{
    /// <summary>The pattern.</summary>
    public string Name { get; } = name;

    /// <summary>Elements along each dimension, outermost first.</summary>
    public int[] Shape { get; } = shape;

    /// <summary>Placement at the trainer; the map's when not given.</summary>
    public string Trainer { get; set; } = "";

    /// <summary>Placement at inference; the map's when not given.</summary>
    public string Inference { get; set; } = "";

    /// <summary>Element type at the trainer; the map's when not given.</summary>
    public WeightElement Element { get; set; } = WeightElement.BFloat16;

    /// <summary>What happens to the elements on the way.</summary>
    public WeightConversion Convert { get; set; }
}
