using Garden.Experts;
using Garden.Kernels.Experts;
using Garden.Kernels.Tests.Experts.Model;

namespace Garden.Kernels.Tests.Experts;

/// <summary>Many rounds on the same memory, each with choices, tokens and a style of its own. On a GPU, and with GARDEN_EXPERTS=full, a thousand.</summary>
public abstract class SoakTests
{
    private const int Few = 10;
    private const int Many = 1000;

    protected abstract KernelDevice Device { get; }

    [Theory]
    [InlineData(2, ExpertOutput.ExpertContiguous)]
    [InlineData(3, ExpertOutput.RankRows)]
    public void EveryRoundIsRight(int ranks, ExpertOutput output)
    {
        using var kernels = new ExpertKernels<Fp8TopEight>(Device);
        var group = ExpertGroup.Of<Fp8TopEight>(ranks, ranks, 8, 1);
        using var harness = new ExpertHarness<Fp8TopEight>(kernels, group, new ExpertRankOptions { Output = output });
        var random = new Random(ranks);
        RoutingStyle[] styles = Enum.GetValues<RoutingStyle>();
        int rounds = Device is CudaDevice || Environment.GetEnvironmentVariable("GARDEN_EXPERTS") == "full" ? Many : Few;
        for (int round = 0; round < rounds; round++)
        {
            RoutingStyle style = styles[random.Next(styles.Length)];
            int[][] topK = [.. Enumerable.Range(0, ranks).Select(_ => RoutingChoices.Of<Fp8TopEight>(random, random.Next(9), style))];
            harness.RunAndCheck(new ExpertRound<Fp8TopEight>(group, topK, random, quantized: true), scaled: false, accumulate: random.Next(2) == 0);
        }
    }
}

public sealed class CpuSoakTests : SoakTests
{
    protected override KernelDevice Device => TestDevices.Cpu;
}

public sealed class CudaSoakTests : SoakTests
{
    protected override KernelDevice Device => TestDevices.Cuda;
}
