namespace ExpertParallel;

/// <summary>Chooses experts: uniformly, or as skewed as real routers are (Zipf with exponent 1).</summary>
internal static class Router
{
    /// <summary>[token][topK] different experts, and weights that sum to one.</summary>
    public static (int[] Choices, float[] Weights) Route(Random random, int tokens, int experts, int topK, bool zipf)
    {
        var choices = new int[tokens * topK];
        var weights = new float[tokens * topK];
        for (int token = 0; token < tokens; token++)
        {
            // The largest of u^(1/w), a draw by weight without replacement.
            int[] drawn = [.. Enumerable.Range(0, experts).OrderByDescending(expert => Math.Log(1 - random.NextDouble()) * (zipf ? expert + 1 : 1)).Take(topK)];
            float[] raw = [.. drawn.Select(_ => random.NextSingle() + 0.1f)];
            for (int k = 0; k < topK; k++)
                (choices[(token * topK) + k], weights[(token * topK) + k]) = (drawn[k], raw[k] / raw.Sum());
        }

        return (choices, weights);
    }
}
