using Garden.Experts;
using Garden.Kernels.Experts;
using Garden.Kernels.Tests.Experts.Model;

namespace Garden.Kernels.Tests.Experts;

/// <summary>Both halves of a dispatch and of a combine in one launch each: a rank that sends to itself, whose groups wait for one another; in a graph too. Several ranks are in <see cref="ConcurrentTests"/>.</summary>
public abstract class FusedTests
{
    protected abstract KernelDevice Device { get; }

    [Fact]
    public void EveryRoundIsRightAlsoBetweenOthers()
    {
        using var kernels = new ExpertKernels<Fp8TopEight>(Device, fused: true);
        var group = ExpertGroup.Of<Fp8TopEight>(1, 1, 8, 16);
        using var harness = new ExpertHarness<Fp8TopEight>(kernels, group, new ExpertRankOptions { Looks = 200_000_000 });
        ExpertRank<Fp8TopEight> rank = harness.Ranks[0];
        var random = new Random(1);
        for (int i = 0; i < 4; i++)
        {
            var round = new ExpertRound<Fp8TopEight>(group, [RoutingChoices.Of<Fp8TopEight>(random, random.Next(9), RoutingStyle.Uniform)], random, quantized: true);
            harness.Dispatch(rank, round, false);
            harness.CheckDispatched(rank, round);
            harness.CheckCombined(rank, round, harness.Combine(rank, round, true, out byte[] before), before);
            rank.ReadReport();
            harness.RunAndCheck(round, false, false);
        }
    }

    [Fact]
    public void AGraphOfThem()
    {
        using var kernels = new ExpertKernels<Bf16TopTwo>(Device, fused: true);
        var group = ExpertGroup.Of<Bf16TopTwo>(1, 1, 8, 1);
        using var harness = new ExpertHarness<Bf16TopTwo>(kernels, group, new ExpertRankOptions { Looks = 200_000_000 });
        ExpertRank<Bf16TopTwo> rank = harness.Ranks[0];
        var random = new Random(2);
        var round = new ExpertRound<Bf16TopTwo>(group, [RoutingChoices.Of<Bf16TopTwo>(random, 7, RoutingStyle.Uniform)], random);
        ExpertTokens tokens = harness.Tokens(rank, round, false);
        DeviceBuffer results = harness.Results(rank, round);
        using DeviceBuffer combined = TestBytes.Upload(Device, TestBytes.Poisoned(8L * 256 * 2));
        using DeviceStream stream = Device.CreateStream();
        Device.DefaultStream.Synchronize();
        stream.BeginCapture();
        for (int i = 0; i < 3; i++)
        {
            rank.Dispatch(stream, tokens, harness.RowsAt(0));
            rank.Combine(stream, results, combined);
        }

        using DeviceGraph graph = stream.EndCapture();
        for (int launch = 0; launch < 2; launch++)
            graph.Replay(stream);
        stream.Synchronize();
        Assert.Equal(7u, rank.Epoch);
        harness.CheckCombined(rank, round, TestBytes.Download(combined), null);
        rank.ReadReport();
    }

    [Fact]
    public void TheyAreLoadedWhenAskedFor()
    {
        using var kernels = new ExpertKernels<Bf16TopTwo>(Device);
        var group = ExpertGroup.Of<Bf16TopTwo>(1, 1, 8, 1);
        using var harness = new ExpertHarness<Bf16TopTwo>(kernels, group, new ExpertRankOptions { Looks = 200_000_000 });
        var round = new ExpertRound<Bf16TopTwo>(group, [[]], new Random(3));
        Assert.Contains("fused: true", Assert.Throws<InvalidOperationException>(() => harness.Dispatch(harness.Ranks[0], round, false)).Message, StringComparison.Ordinal);
    }
}

public sealed class CpuFusedTests : FusedTests
{
    protected override KernelDevice Device => TestDevices.Cpu;
}

public sealed class CudaFusedTests : FusedTests
{
    protected override KernelDevice Device => TestDevices.Cuda;
}
