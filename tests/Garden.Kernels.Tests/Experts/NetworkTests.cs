using System.Runtime.InteropServices;
using Garden.Experts;
using Garden.Fabric;
using Garden.Fabric.Loopback;
using Garden.Interop.Libfabric;
using Garden.Kernels.Experts;
using Garden.Kernels.Tests.Experts.Model;
using Garden.Testing;

namespace Garden.Kernels.Tests.Experts;

/// <summary>Ranks of several nodes: what is staged crosses a fabric, what is on one node does not; every byte against the model.</summary>
public abstract partial class NetworkTests
{
    private const int Rounds = 5;

    private readonly KernelDevice _device = TestDevices.Cpu;

    protected abstract IFabric Fabric(int rank);

    [Theory]
    [InlineData(2, 1)]
    [InlineData(3, 2)]
    [InlineData(4, 2)]
    [InlineData(8, 3)]
    public async Task RoundsOfSeveralNodes(int ranks, int perNode)
    {
        using var kernels = new ExpertKernels<Fp8TopTwo>(_device);
        await using var job = await NetworkJob<Fp8TopTwo>.StartAsync(Fabric, kernels, ExpertGroup.Of<Fp8TopTwo>(ranks, perNode, 8, 1));
        var random = new Random(ranks);
        foreach (RoutingStyle style in Enum.GetValues<RoutingStyle>())
        {
            int[][] topK = [.. Enumerable.Range(0, ranks).Select(rank => RoutingChoices.Of<Fp8TopTwo>(random, rank % 3 == 2 ? 0 : random.Next(9), style))];
            job.Harness.RunAndCheck(new ExpertRound<Fp8TopTwo>(job.Group, topK, random, quantized: true), scaled: false, accumulate: false);
        }
    }

    [Fact]
    public async Task TopEightInBothAreasAndManyRounds()
    {
        using var kernels = new ExpertKernels<Bf16TopEight>(_device);
        await using var job = await NetworkJob<Bf16TopEight>.StartAsync(Fabric, kernels, ExpertGroup.Of<Bf16TopEight>(4, 1, 8, 16));
        var random = new Random(8);
        for (int round = 0; round < Rounds; round++)
        {
            int[][] topK = [.. Enumerable.Range(0, 4).Select(_ => RoutingChoices.Of<Bf16TopEight>(random, 8, RoutingStyle.Uniform))];
            job.Harness.RunAndCheck(new ExpertRound<Bf16TopEight>(job.Group, topK, random), scaled: false, accumulate: true);
        }
    }

    /// <summary>Each expert's result crosses by itself, more of them than rows came.</summary>
    [Fact]
    public async Task ExactResultsOfSeveralNodes()
    {
        using var kernels = new ExpertKernels<Bf16Exact>(_device);
        await using var job = await NetworkJob<Bf16Exact>.StartAsync(Fabric, kernels, ExpertGroup.Of<Bf16Exact>(5, 2, 8, 1));
        var random = new Random(12);
        foreach (RoutingStyle style in Enum.GetValues<RoutingStyle>())
        {
            int[][] topK = [.. Enumerable.Range(0, 5).Select(_ => RoutingChoices.Of<Bf16Exact>(random, random.Next(9), style))];
            job.Harness.RunAndCheck(new ExpertRound<Bf16Exact>(job.Group, topK, random), scaled: false, accumulate: style == RoutingStyle.Skewed);
        }
    }

    /// <summary>Ranks made anew on the engines of others: their rounds begin at 1, whatever the engines counted before.</summary>
    [Fact]
    public async Task AnotherGroupOnTheSameEngines()
    {
        using var kernels = new ExpertKernels<Bf16TopTwo>(_device);
        await using var job = await NetworkJob<Bf16TopTwo>.StartAsync(Fabric, kernels, ExpertGroup.Of<Bf16TopTwo>(3, 1, 8, 1));
        var random = new Random(6);
        ExpertRound<Bf16TopTwo> Round() => new(job.Group, [.. Enumerable.Range(0, 3).Select(_ => RoutingChoices.Of<Bf16TopTwo>(random, 4, RoutingStyle.Uniform))], random);
        for (int round = 0; round < Rounds; round++)
            job.Harness.RunAndCheck(Round(), false, false);
        await job.RestartAsync(kernels, ExpertGroup.Of<Bf16TopTwo>(3, 1, 4, 1));
        Assert.Contains("sent no rows in round 1", Assert.Throws<ExpertTimeoutException>(
            () => job.Harness.Exchanges![0].WaitForRows(1, TimeSpan.FromMilliseconds(50), TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
        for (int round = 0; round < Rounds; round++)
            job.Harness.RunAndCheck(Round(), false, false);
    }

    [Fact]
    public async Task ARankThatNeverComesIsNamedWhenTheDeadlineHasPassed()
    {
        using var kernels = new ExpertKernels<Bf16TopTwo>(_device);
        await using var job = await NetworkJob<Bf16TopTwo>.StartAsync(Fabric, kernels, ExpertGroup.Of<Bf16TopTwo>(2, 1, 8, 1));
        var timeout = Assert.Throws<ExpertTimeoutException>(() => job.Harness.Exchanges![0].WaitForRows(1, TimeSpan.FromMilliseconds(50), TestContext.Current.CancellationToken));
        Assert.Contains("Rank 1 (experts 8 to 15) sent no rows in round 1", timeout.Message, StringComparison.Ordinal);
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        Assert.ThrowsAny<OperationCanceledException>(() => job.Harness.Exchanges![0].WaitForRows(1, Deadline.Default.Left, cancelled.Token));
    }

    [Fact]
    public async Task ARoundThatIsMoreThanOneWriteIsRefusedWithBoth()
    {
        using var kernels = new ExpertKernels<Bf16TopTwo>(_device);
        ExpertGroup group = ExpertGroup.Of<Bf16TopTwo>(2, 1, 2048, 1);
        using var rank = new ExpertRank<Bf16TopTwo>(kernels, group, 0);
        await using TransferEngine engine = TransferEngine.CreateBuilder().UseLoopback(new LoopbackNetwork(), new LoopbackOptions { Name = "short", MaxWriteLength = 64 * 1024 }).Build();
        string message = Assert.Throws<PlanException>(() => new ExpertExchange<Bf16TopTwo>(rank, engine)).Message;
        Assert.Contains("2048 tokens", message, StringComparison.Ordinal);
        Assert.Contains("65536 bytes", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RanksThatDifferAreRefused()
    {
        using var kernels = new ExpertKernels<Bf16TopTwo>(_device);
        await using var job = await NetworkJob<Bf16TopTwo>.StartAsync(Fabric, kernels, ExpertGroup.Of<Bf16TopTwo>(2, 1, 8, 1));
        ExpertAddress other = job.Harness.Exchanges![1].Address;
        var refused = await Assert.ThrowsAsync<PlanException>(async () => await job.Harness.Exchanges![0].ConnectAsync([other with { RoutingHash = 1 }]));
        Assert.Contains("Rank 1 has routing 0000000000000001", refused.Message, StringComparison.Ordinal);
        refused = await Assert.ThrowsAsync<PlanException>(async () => await job.Harness.Exchanges![0].ConnectAsync([other with { Group = ExpertGroup.Of<Bf16TopTwo>(2, 1, 4, 1) }]));
        Assert.Contains("4 tokens a rank", refused.Message, StringComparison.Ordinal);
    }

    /// <summary>The worker's part of a round: nothing is allocated between a kernel's end and the last write.</summary>
    [Fact]
    public async Task PostingAllocatesNothing()
    {
        using var kernels = new ExpertKernels<Bf16TopTwo>(_device);
        await using var job = await NetworkJob<Bf16TopTwo>.StartAsync(Fabric, kernels, ExpertGroup.Of<Bf16TopTwo>(2, 1, 8, 1), callerDriven: true);
        var random = new Random(5);
        long least = long.MaxValue;
        for (int round = 0; round < Rounds && least != 0; round++)
        {
            var made = new ExpertRound<Bf16TopTwo>(job.Group, [.. Enumerable.Range(0, 2).Select(_ => RoutingChoices.Of<Bf16TopTwo>(random, 8, RoutingStyle.Uniform))], random);
            long spent = 0;
            job.Harness.RunAndCheck(made, false, false, between: () => spent += job.PollAll());
            least = Math.Min(least, spent);
        }

        Assert.Equal(0, least);
    }
}

public sealed class LoopbackNetworkTests : NetworkTests
{
    private readonly LoopbackNetwork _network = new();

    protected override IFabric Fabric(int rank) => new LoopbackFabric(_network, new LoopbackOptions { Name = $"rank{rank}" });
}

public sealed class ReorderedNetworkTests : NetworkTests
{
    private readonly LoopbackNetwork _network = new();

    protected override IFabric Fabric(int rank) => new LoopbackFabric(_network, new LoopbackOptions { Name = $"rank{rank}", ReorderSeed = rank + 1, Nics = 2 });
}

public sealed class TcpNetworkTests : NetworkTests
{
    protected override IFabric Fabric(int rank)
    {
        Backends.Require("tcp", NativeLibrary.TryLoad("libfabric.so.1", out _), "apt-get install libfabric1");
        return new TcpFabric(TcpOptions.At("127.0.0.1"));
    }
}
