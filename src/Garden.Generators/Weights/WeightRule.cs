namespace Garden.Generators.Weights;

/// <summary>A rule whose arguments are in order.</summary>
internal sealed class WeightRule(
    int index, string name, WeightPattern pattern, int[] shape, int element, int convert, WeightPlacementSyntax trainer, WeightPlacementSyntax inference)
{
    /// <summary>Which attribute of the type it is.</summary>
    public int Index { get; } = index;

    /// <summary>The pattern as it is written.</summary>
    public string Name { get; } = name;

    public WeightPattern Pattern { get; } = pattern;

    public int[] Shape { get; } = shape;

    public int Element { get; } = element;

    public bool Converts { get; } = convert == WeightElements.Float8Block128;

    public WeightPlacementSyntax Trainer { get; } = trainer;

    public WeightPlacementSyntax Inference { get; } = inference;

    /// <summary>Size along one of the first three dimensions; 1 behind the last.</summary>
    public int Size(int dimension) => dimension < Shape.Length ? Shape[dimension] : 1;

    /// <summary>Elements behind one of the first three dimensions.</summary>
    public long Inner => Shape.Skip(3).Aggregate(1L, (all, one) => all * one);

    /// <summary>The names it matches, once matched: values of the variables without the expert, one combination after the other.</summary>
    public int[] Outers { get; set; } = [];

    /// <summary>How many combinations.</summary>
    public int OuterCount { get; set; }

    /// <summary>Experts of each; 1 without the variable.</summary>
    public int Experts { get; set; } = 1;
}

/// <summary>A fusion whose members are rules.</summary>
internal sealed record WeightFusion(int Index, string Name, WeightRule[] Members);
