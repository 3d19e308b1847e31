using Garden.Experts;
using Garden.Kernels.Experts;
using Garden.Kernels.Tests.Experts.Model;

namespace Garden.Kernels.Tests.Experts;

/// <summary>Tokens that name an expert twice: one row and one place there, and its result with both weights, by the kernels of few tokens and of many.</summary>
public abstract class RepeatedChoiceTests
{
    protected abstract KernelDevice Device { get; }

    [Theory]
    [InlineData(40, false)]
    [InlineData(40, true)]
    [InlineData(130, false)]
    public void OneByOne(int tokens, bool alwaysMany) => Run<Bf16Repeated>(tokens, alwaysMany);

    [Theory]
    [InlineData(40, false)]
    [InlineData(130, false)]
    public void ByVectors(int tokens, bool alwaysMany) => Run<Bf16RepeatedTwelve>(tokens, alwaysMany);

    [Fact]
    public void EachExpertsResult() => Run<Bf16RepeatedExact>(130, false);

    private void Run<TRouting>(int tokens, bool alwaysMany)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        using var kernels = new ExpertKernels<TRouting>(Device);
        ExpertGroup group = ExpertGroup.Of<TRouting>(2, 2, tokens, 1);
        using var harness = new ExpertHarness<TRouting>(kernels, group, new ExpertRankOptions { AlwaysMany = alwaysMany });
        var random = new Random(tokens);
        // All tokens choose the same, which fills every row that an expert has for a source; then any, half of them twice.
        foreach (RoutingStyle style in new[] { RoutingStyle.AllToOne, RoutingStyle.Uniform })
        {
            var round = new ExpertRound<TRouting>(group, [.. Enumerable.Range(0, group.Ranks).Select(_ => RoutingChoices.Of<TRouting>(random, tokens, style))], random);
            for (int rank = 0; rank < group.Ranks; rank++)
                Repeat<TRouting>(round.TopK[rank], round.Weights[rank]);
            harness.RunAndCheck(round, false, false);
        }
    }

    /// <summary>The second half of a token's choices names the first again, with the same weights: which of the two a row tells is left open.</summary>
    private static void Repeat<TRouting>(int[] topK, float[] weights)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        int half = TRouting.TopK / 2;
        for (int i = 0; i < topK.Length; i++)
        {
            if (i % TRouting.TopK >= half)
                (topK[i], weights[i]) = (topK[i - half], weights[i - half]);
        }
    }
}

public sealed class CpuRepeatedChoiceTests : RepeatedChoiceTests
{
    protected override KernelDevice Device => TestDevices.Cpu;
}

public sealed class CudaRepeatedChoiceTests : RepeatedChoiceTests
{
    protected override KernelDevice Device => TestDevices.Cuda;
}
