using Garden.Experts;
using Garden.Kernels.Experts;
using Garden.Kernels.Tests.Experts.Model;

namespace Garden.Kernels.Tests.Experts;

/// <summary>
/// The matrix of ranks, tokens, types, top-k, padding, output, and ways to choose: every pair of values in some case; three rounds each, over poisoned
/// memory, bitwise equal to the model. GARDEN_EXPERTS=full runs every combination.
/// </summary>
public abstract class ExchangeTests
{
    private static readonly int[] s_ranks = [1, 2, 3, 4, 8], s_paddings = [1, 16, 128];

    protected abstract KernelDevice Device { get; }

    [Fact]
    public void Bf16TopTwo() => Check<Bf16TopTwo>(1);

    [Fact]
    public void Bf16TopEight() => Check<Bf16TopEight>(2);

    [Fact]
    public void Bf16TopOneWithFewerExpertsThanRanks() => Check<Bf16TopOne>(3);

    [Fact]
    public void Fp8TopTwo() => Check<Fp8TopTwo>(4);

    [Fact]
    public void Fp8TopEight() => Check<Fp8TopEight>(5);

    [Fact]
    public void Fp8TopOneToFp32() => Check<Fp8TopOneFp32>(6);

    [Fact]
    public void Fp8WithBlocksThatLanesDoNotDivide() => Check<Fp8OddBlocks>(7);

    [Fact]
    public void Fp16TopEight() => Check<Fp16TopEight>(8);

    [Fact]
    public void Fp32TopTwo() => Check<Fp32TopTwo>(9);

    [Fact]
    public void Bf16TopEightExact() => Check<Bf16Exact>(10);

    [Fact]
    public void Fp8TopTwoExact() => Check<Fp8Exact>(11);

    /// <summary>More tokens than a word has bits, or a batch places.</summary>
    [Theory]
    [InlineData(false, ExpertOutput.ExpertContiguous)]
    [InlineData(false, ExpertOutput.RankRows)]
    [InlineData(true, ExpertOutput.ExpertSlabs)]
    public void TokensOfSeveralWords(bool many, ExpertOutput output)
    {
        using var kernels = new ExpertKernels<Fp8TopTwo>(Device);
        var random = new Random(11);
        var group = ExpertGroup.Of<Fp8TopTwo>(3, 3, 100, 1);
        using var harness = new ExpertHarness<Fp8TopTwo>(kernels, group, new ExpertRankOptions { Output = output, AlwaysMany = many });
        foreach (int tokens in new[] { 100, 33, 64 })
        {
            int[][] topK = [.. Enumerable.Range(0, 3).Select(rank => RoutingChoices.Of<Fp8TopTwo>(random, tokens - rank, RoutingStyle.Uniform))];
            harness.RunAndCheck(new ExpertRound<Fp8TopTwo>(group, topK, random, quantized: true), scaled: false, accumulate: false);
        }
    }

    private void Check<TRouting>(int seed)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        using var kernels = new ExpertKernels<TRouting>(Device);
        // ranks, tokens, padding, output, style, activations quantised already, accumulate, kernels of many tokens
        int[] sizes = [s_ranks.Length, 4, s_paddings.Length, 3, 5, TRouting.Element == ExpertElement.Float8E4M3 ? 2 : 1, 2, 2];
        IReadOnlyList<int[]> cases = Environment.GetEnvironmentVariable("GARDEN_EXPERTS") == "full" ? Pairwise.All(sizes) : Pairwise.Of(sizes, seed);
        // With a row for each expert's result there is no output that has one for all of a rank: slabs stand in.
        foreach (int[] values in cases)
        {
            if (TRouting.ExactCombine && values[3] == (int)ExpertOutput.RankRows)
                values[3] = (int)ExpertOutput.ExpertSlabs;
            string what = $"{typeof(TRouting).Name}, case {string.Join(',', values)} of seed {seed}";
            try
            {
                Run(kernels, s_ranks[values[0]], values[1], s_paddings[values[2]], (ExpertOutput)values[3], (RoutingStyle)values[4], values[5] != 0, values[6] != 0, values[7] != 0, seed);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                throw new InvalidOperationException($"{what}: {exception.Message}", exception);
            }
        }
    }

    private static void Run<TRouting>(
        ExpertKernels<TRouting> kernels, int ranks, int tokens, int padding, ExpertOutput output, RoutingStyle style, bool scaled, bool accumulate, bool many, int seed)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        var random = new Random(seed);
        var group = ExpertGroup.Of<TRouting>(ranks, ranks, TRouting.MaxTokens, padding);
        using var harness = new ExpertHarness<TRouting>(kernels, group, new ExpertRankOptions { Output = output, AlwaysMany = many });
        for (int round = 0; round < 3; round++)
        {
            // No tokens, one, an odd number, all; and once a different number on every rank.
            int[][] topK = [.. Enumerable.Range(0, ranks).Select(rank => RoutingChoices.Of<TRouting>(
                random, tokens switch { 0 => 0, 1 => 1, 2 => round == 1 ? (rank * 3) % 8 : 5, _ => group.Tokens }, style))];
            harness.RunAndCheck(new ExpertRound<TRouting>(group, topK, random, TRouting.Element == ExpertElement.Float8E4M3 && !scaled), scaled, accumulate);
        }
    }
}

public sealed class CpuExchangeTests : ExchangeTests
{
    protected override KernelDevice Device => TestDevices.Cpu;
}

public sealed class CudaExchangeTests : ExchangeTests
{
    protected override KernelDevice Device => TestDevices.Cuda;
}
