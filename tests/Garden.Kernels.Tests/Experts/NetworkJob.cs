using System.Diagnostics.CodeAnalysis;
using Garden.Experts;
using Garden.Fabric;
using Garden.Kernels.Experts;
using Garden.Testing;

namespace Garden.Kernels.Tests.Experts;

/// <summary>Ranks with an engine each.</summary>
internal sealed class NetworkJob<TRouting> : IAsyncDisposable
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    private readonly TransferEngine?[] _engines;
    private readonly Func<int, IFabric> _fabric;
    private readonly bool _callerDriven;
    private readonly ExpertOutput _output;

    private NetworkJob(Func<int, IFabric> fabric, ExpertKernels<TRouting> kernels, ExpertGroup group, bool callerDriven, ExpertOutput output)
    {
        (_fabric, _callerDriven, _output) = (fabric, callerDriven, output);
        _engines = [.. Enumerable.Range(0, group.Ranks).Select(Engine)];
        Make(kernels, group);
    }

    public ExpertGroup Group { get; private set; }

    public ExpertHarness<TRouting> Harness { get; private set; }

    public static async Task<NetworkJob<TRouting>> StartAsync(
        Func<int, IFabric> fabric, ExpertKernels<TRouting> kernels, ExpertGroup group, bool callerDriven = false, ExpertOutput output = ExpertOutput.ExpertContiguous)
    {
        var job = new NetworkJob<TRouting>(fabric, kernels, group, callerDriven, output);
        await job.ConnectAsync();
        return job;
    }

    /// <summary>New ranks and exchanges on the same engines.</summary>
    public async Task RestartAsync(ExpertKernels<TRouting> kernels, ExpertGroup group)
    {
        foreach (ExpertExchange<TRouting> exchange in Harness.Exchanges!)
            await exchange.DisposeAsync();
        Harness.Dispose();
        Make(kernels, group);
        await ConnectAsync();
    }

    [MemberNotNull(nameof(Harness))]
    private void Make(ExpertKernels<TRouting> kernels, ExpertGroup group)
    {
        Group = group;
        Harness = new ExpertHarness<TRouting>(kernels, group, new ExpertRankOptions { Output = _output }, connect: false);
        Harness.Exchanges = [.. Harness.Ranks.Select(rank => new ExpertExchange<TRouting>(rank, _engines[rank.Rank]!))];
    }

    private async Task ConnectAsync()
    {
        foreach (ExpertRank<TRouting> rank in Harness.Ranks)
        {
            foreach (ExpertRank<TRouting> peer in Harness.Ranks.Where(peer => peer.Rank / Group.RanksPerNode == rank.Rank / Group.RanksPerNode))
                rank.Connect(peer.Rank, peer.Addresses);
            ValueTask connecting = Harness.Exchanges![rank.Rank].ConnectAsync(Harness.Exchanges.Select(static exchange => exchange.Address), Deadline.Default.Left);
            while (_callerDriven && !connecting.IsCompleted)
                PollAll();
            await connecting;
        }
    }

    /// <summary>Runs all engines until nothing happens any more; returns what that allocated.</summary>
    public long PollAll()
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int idle = 0; idle < 100; idle++)
        {
            for (int engine = 0; engine < _engines.Length; engine++)
            {
                if (_engines[engine]!.Poll())
                    idle = 0;
            }
        }

        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    /// <summary>Waits until nothing that the rank told others is unanswered.</summary>
    public void WaitUntilAnswered(int rank)
    {
        Deadline deadline = Deadline.Default;
        Assert.True(SpinWait.SpinUntil(() => Harness.Exchanges![rank].IsAnswered, deadline.Left), $"Rank {rank} has not been answered.");
    }

    public async Task KillAsync(int rank)
    {
        await Harness.Exchanges![rank].DisposeAsync();
        await _engines[rank]!.DisposeAsync();
        _engines[rank] = null;
    }

    /// <summary>A rank's second life: new memory, a new engine. The others go on with it from the round they begin next.</summary>
    public async Task ReviveAsync(ExpertKernels<TRouting> kernels, int rank, uint epoch)
    {
        ExpertRank<TRouting> back = Harness.Replace(kernels, rank);
        _engines[rank] = Engine(rank);
        Harness.Exchanges![rank] = new ExpertExchange<TRouting>(back, _engines[rank]!);
        back.Join(epoch);
        foreach (ExpertExchange<TRouting> exchange in Harness.Exchanges)
            await exchange.ConnectAsync(Harness.Exchanges.Where(other => (other == Harness.Exchanges[rank]) != (exchange == Harness.Exchanges[rank])).Select(static other => other.Address), Deadline.Default.Left);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (ExpertExchange<TRouting> exchange in Harness.Exchanges!)
        {
            // Unregistering asks the worker, which is this thread when the engine has none.
            Task ending = exchange.DisposeAsync().AsTask();
            while (_callerDriven && !ending.IsCompleted)
                PollAll();
            await ending;
        }

        foreach (TransferEngine? engine in _engines)
        {
            if (engine is not null)
                await engine.DisposeAsync();
        }

        Harness.Dispose();
    }

    private TransferEngine Engine(int rank) => TransferEngine.CreateBuilder().UseFabric(_fabric(rank)).Configure(options =>
    {
        options.WaitStrategy = WaitStrategy.Economic;
        options.CallerDriven = _callerDriven;
    }).Build();
}
