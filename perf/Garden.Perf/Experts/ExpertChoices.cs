using Garden.Experts;

namespace Garden.Perf.Experts;

/// <summary>Choices of tokens: uniform, or skewed as real routers are (Zipf, exponent 1).</summary>
internal static class ExpertChoices
{
    public static int[] Of<TRouting>(Random random, int tokens, bool zipf)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        var choices = new int[tokens * TRouting.TopK];
        var weights = new double[TRouting.Experts];
        for (int token = 0; token < tokens; token++)
        {
            for (int expert = 0; expert < weights.Length; expert++)
                // The largest of u^(1/w) without replacement is a draw by weight.
                weights[expert] = Math.Log(1 - random.NextDouble()) * (zipf ? expert + 1 : 1);
            int[] order = [.. Enumerable.Range(0, weights.Length)];
            Array.Sort((double[])weights.Clone(), order);
            order.AsSpan(order.Length - TRouting.TopK).CopyTo(choices.AsSpan(token * TRouting.TopK));
        }

        return choices;
    }

    /// <summary>Rows that the tokens of a rank send to other ranks; each crosses once to a rank, whatever the number of its experts there.</summary>
    public static int RemoteRows<TRouting>(ReadOnlySpan<int> choices, int ranks, int rank)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        int rows = 0;
        var seen = new HashSet<int>();
        for (int at = 0; at < choices.Length; at += TRouting.TopK)
        {
            seen.Clear();
            foreach (int expert in choices.Slice(at, TRouting.TopK))
                seen.Add(ExpertPlacement.RankOf<TRouting>(ranks, expert));
            seen.Remove(rank);
            rows += seen.Count;
        }

        return rows;
    }
}
