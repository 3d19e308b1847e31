using CsCheck;
using Garden.Experts;

namespace Garden.Generators.Integration.Experts;

/// <summary>Random routings through the model; ranks, tokens and padding at run time.</summary>
public sealed class ExchangeTests
{
    private static readonly int[] s_paddings = [1, 16, 128];

    [Fact]
    public void Eight_experts_top_two() => Check<EightTopTwo>([1, 2, 4, 8]);

    [Fact]
    public void Seven_experts_top_three_uneven() => Check<SevenTopThree>([1, 2, 3, 4, 7]);

    [Fact]
    public void Five_experts_all_chosen() => Check<FiveTopFive>([1, 2, 3, 5]);

    [Fact]
    public void Fewer_experts_than_ranks() => Check<ThreeTopOne>([1, 2, 3, 5, 8]);

    [Fact]
    public void Many_experts() => Check<HundredTopEight>([1, 2, 3, 6]);

    private static void Check<TRouting>(int[] ranks)
        where TRouting : unmanaged, IExpertRouting<TRouting> =>
        Gen.Select(Gen.Int[0, ranks.Length - 1], Gen.Int[1, 4], Gen.Int[1, 9], Gen.Int[0, 2], Gen.Int[0, 3], Gen.Int[0, int.MaxValue]).Sample(
            (rank, perNode, tokens, padding, style, seed) =>
            {
                var random = new Random(seed);
                var group = ExpertGroup.Of<TRouting>(ranks[rank], perNode, tokens, s_paddings[padding]);
                int[][] topK = [.. Enumerable.Range(0, group.Ranks).Select(_ => Choices<TRouting>(random, Tokens(random, tokens), (Style)style))];
                new ExchangeModel<TRouting>(group, (uint)random.Next(), topK).Run();
            },
            iter: 150,
            threads: 1);

    /// <summary>No tokens, all tokens, or some.</summary>
    private static int Tokens(Random random, int most) => random.Next(4) switch { 0 => 0, 1 => most, _ => random.Next(most + 1) };

    private static int[] Choices<TRouting>(Random random, int tokens, Style style)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        var choices = new List<int>();
        for (int token = 0; token < tokens; token++)
        {
            int[] experts = [.. Enumerable.Range(0, TRouting.Experts)];
            random.Shuffle(experts);
            if (style == Style.Skewed)
                experts = [.. experts.OrderBy(expert => expert * random.NextDouble())];
            if (style == Style.AllToOne)
                Array.Sort(experts);
            for (int k = 0; k < TRouting.TopK; k++)
                choices.Add(style == Style.Masked && random.Next(2) == 0 ? -1 : experts[k]);
        }

        return [.. choices];
    }

    private enum Style
    {
        Uniform,
        Skewed,
        AllToOne,
        Masked,
    }
}
