using Garden.Experts;

namespace Garden.Kernels.Tests.Experts;

/// <summary>How tokens choose.</summary>
public enum RoutingStyle
{
    Uniform,
    Skewed,
    AllToOne,
    Masked,
    AllMasked,
}

internal static class RoutingChoices
{
    /// <summary>Choices of some tokens, no expert twice in a token.</summary>
    public static int[] Of<TRouting>(Random random, int tokens, RoutingStyle style)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        var choices = new List<int>();
        for (int token = 0; token < tokens; token++)
        {
            int[] experts = [.. Enumerable.Range(0, TRouting.Experts)];
            random.Shuffle(experts);
            if (style == RoutingStyle.Skewed)
                experts = [.. experts.OrderBy(expert => expert * random.NextDouble())];
            if (style == RoutingStyle.AllToOne)
                Array.Sort(experts);
            for (int k = 0; k < TRouting.TopK; k++)
                choices.Add(style == RoutingStyle.AllMasked || (style == RoutingStyle.Masked && random.Next(2) == 0) ? -1 : experts[k]);
        }

        return [.. choices];
    }
}
