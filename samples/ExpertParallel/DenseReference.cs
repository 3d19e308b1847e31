using Garden.Experts;

namespace ExpertParallel;

/// <summary>What a model without any exchange would compute, in double precision: for each token the weighted sum over its experts, but for those of masked ranks.</summary>
internal static class DenseReference
{
    /// <summary>1 − cosine of what came back and what should have, over all tokens of a rank.</summary>
    public static double CosineDifference<TRouting>(RankWork<TRouting> rank, ushort[] combined)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        double product = 0, expectedSquares = 0, combinedSquares = 0;
        int hidden = TRouting.HiddenSize;
        for (int i = 0; i < combined.Length; i++)
        {
            int token = i / hidden, element = i % hidden;
            double expected = 0;
            for (int k = 0; k < TRouting.TopK; k++)
            {
                int at = (token * TRouting.TopK) + k;
                if (rank.Masked.Contains(ExpertPlacement.RankOf<TRouting>(rank.Rank.Group.Ranks, rank.Choices[at])))
                    continue;
                expected += rank.Weights[at] * ToyExperts.Factor(rank.Choices[at], element) * Numbers.FromBFloat16(rank.Input[i]);
            }

            double value = Numbers.FromBFloat16(combined[i]);
            product += expected * value;
            expectedSquares += expected * expected;
            combinedSquares += value * value;
        }

        return combined.Length == 0 ? 0 : 1 - (product / Math.Sqrt(expectedSquares * combinedSquares));
    }
}
