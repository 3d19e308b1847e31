using System.Runtime.InteropServices;
using Garden.Experts;
using Garden.Fabric;
using Garden.Fabric.Loopback;
using Garden.Interop.Libfabric;
using Garden.Kernels.Experts;
using Garden.Kernels.Tests.Experts.Model;
using Garden.Testing;

namespace Garden.Kernels.Tests.Experts;

/// <summary>
/// Tokens that cross the network once for each node: one exchange over the nodes for each place in them, and one in each node that sends on what came.
/// Three nodes of two ranks; experts and combined rows against the model of each step.
/// </summary>
public abstract class NodeTests
{
    private const int Nodes = 3;
    private const int PerNode = 2;
    private const int Tokens = 8;

    private readonly KernelDevice _device = TestDevices.Cpu;

    protected abstract IFabric Fabric(int rank);

    [Theory]
    [InlineData(RoutingStyle.AllToOne)]
    [InlineData(RoutingStyle.Masked)]
    public Task Bf16(RoutingStyle style) => RunAsync<NodesBf16, NodeBf16>(style);

    [Fact]
    public Task Fp8() => RunAsync<NodesFp8, NodeFp8>(RoutingStyle.Skewed);

    [Fact]
    public void OnlyRowsByRankOfTheSameNumberAreSentOn()
    {
        using var kernels = new ExpertKernels<NodeBf16>(_device);
        using var rank = new ExpertRank<NodeBf16>(kernels, ExpertGroup.Of<NodeBf16>(1, 1, Tokens, 1), 0);
        using var contiguous = ExpertRows.Allocate(rank);
        Assert.Contains("rows of ExpertContiguous cannot be sent on", Assert.Throws<PlanException>(() => rank.Forward(_device.DefaultStream, contiguous)).Message, StringComparison.Ordinal);
        using var other = new ExpertRank<NodeBf16>(kernels, ExpertGroup.Of<NodeBf16>(1, 1, Tokens - 1, 1), 0, new ExpertRankOptions { Output = ExpertOutput.RankRows });
        using var few = ExpertRows.Allocate(other);
        Assert.Contains("7 rows of RankRows cannot be sent on by a group of 8", Assert.Throws<PlanException>(() => rank.Forward(_device.DefaultStream, few)).Message, StringComparison.Ordinal);
    }

    private async Task RunAsync<TNodes, TNode>(RoutingStyle style)
        where TNodes : unmanaged, IExpertRouting<TNodes>
        where TNode : unmanaged, IExpertRouting<TNode>
    {
        using var kernels = new ExpertKernels<TNodes>(_device);
        using var nodeKernels = new ExpertKernels<TNode>(_device);
        var across = new List<NetworkJob<TNodes>>();
        var within = new List<ExpertHarness<TNode>>();
        try
        {
            for (int place = 0; place < PerNode; place++)
                across.Add(await NetworkJob<TNodes>.StartAsync(rank => Fabric((place * Nodes) + rank), kernels, ExpertGroup.Of<TNodes>(Nodes, 1, Tokens, 1), output: ExpertOutput.RankRows));
            for (int node = 0; node < Nodes; node++)
                within.Add(new ExpertHarness<TNode>(nodeKernels, ExpertGroup.Of<TNode>(PerNode, PerNode, Nodes * Tokens, 1), new ExpertRankOptions()));
            var random = new Random((int)style);
            // Twice, so that what the first round left is there.
            for (int round = 0; round < 2; round++)
                Round(random, across, within, style);
        }
        finally
        {
            foreach (NetworkJob<TNodes> job in across)
                await job.DisposeAsync();
            foreach (ExpertHarness<TNode> harness in within)
                harness.Dispose();
        }
    }

    private void Round<TNodes, TNode>(Random random, List<NetworkJob<TNodes>> across, List<ExpertHarness<TNode>> within, RoutingStyle style)
        where TNodes : unmanaged, IExpertRouting<TNodes>
        where TNode : unmanaged, IExpertRouting<TNode>
    {
        ExpertRound<TNodes>[] rounds = [.. across.Select(job => new ExpertRound<TNodes>(
            job.Group, [.. Enumerable.Range(0, Nodes).Select(_ => RoutingChoices.Of<TNodes>(random, random.Next(Tokens + 1), style))], random, TNodes.Element == ExpertElement.Float8E4M3))];
        for (int place = 0; place < PerNode; place++)
        {
            foreach (ExpertRank<TNodes> rank in across[place].Harness.Ranks)
                across[place].Harness.DispatchSend(rank, rounds[place], false);
        }

        for (int place = 0; place < PerNode; place++)
        {
            foreach (ExpertRank<TNodes> rank in across[place].Harness.Ranks)
            {
                across[place].Harness.Exchanges![rank.Rank].WaitForRows(rank.Epoch, Deadline.Default.Left, TestContext.Current.CancellationToken);
                across[place].Harness.DispatchReceive(rank);
                across[place].Harness.CheckDispatched(rank, rounds[place]);
                within[rank.Rank].Ranks[place].Forward(_device.DefaultStream, across[place].Harness.RowsAt(rank.Rank));
            }
        }

        for (int node = 0; node < Nodes; node++)
        {
            ExpertHarness<TNode> harness = within[node];
            ExpertRound<TNode> inNode = ExpertRound<TNode>.Of(harness.Group, [.. rounds.Select(round => round.Forwarded(node))]);
            foreach (ExpertRank<TNode> rank in harness.Ranks)
            {
                harness.DispatchReceive(rank);
                harness.CheckDispatched(rank, inNode);
            }

            foreach (ExpertRank<TNode> rank in harness.Ranks)
                harness.CombineSend(rank, inNode);
            foreach (ExpertRank<TNode> rank in harness.Ranks)
            {
                byte[] results = harness.CombineReceive(rank, false, out _);
                harness.CheckCombined(rank, inNode, results, null);
                rank.ReadReport();
                rounds[rank.Rank].SetResults(node, results);
                using DeviceBuffer buffer = TestBytes.Upload(_device, results);
                across[rank.Rank].Harness.Ranks[node].CombineSend(_device.DefaultStream, buffer);
            }

            harness.Forget();
        }

        for (int place = 0; place < PerNode; place++)
        {
            ExpertHarness<TNodes> harness = across[place].Harness;
            foreach (ExpertRank<TNodes> rank in harness.Ranks)
            {
                harness.Exchanges![rank.Rank].WaitForResults(rank.Epoch, Deadline.Default.Left, TestContext.Current.CancellationToken);
                harness.CheckCombined(rank, rounds[place], harness.CombineReceive(rank, false, out _), null);
                rank.ReadReport();
            }

            harness.Forget();
        }
    }
}

public sealed class LoopbackNodeTests : NodeTests
{
    private readonly LoopbackNetwork _network = new();

    protected override IFabric Fabric(int rank) => new LoopbackFabric(_network, new LoopbackOptions { Name = $"rank{rank}", ReorderSeed = rank + 1 });
}

public sealed class TcpNodeTests : NodeTests
{
    protected override IFabric Fabric(int rank)
    {
        Backends.Require("tcp", NativeLibrary.TryLoad("libfabric.so.1", out _), "apt-get install libfabric1");
        return new TcpFabric(TcpOptions.At("127.0.0.1"));
    }
}
