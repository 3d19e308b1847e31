using System.Collections.Concurrent;
using System.Threading.Channels;
using Garden.Samples;

namespace Garden.Perf.Soak;

/// <summary>One process of a soak: sends to and receives from every other one, all kinds of operations at once.</summary>
internal sealed class SoakNode : IAsyncDisposable
{
    public const ushort RoundChannel = 41, AnswerChannel = 42;
    private const ushort TermsChannel = 40, DoneChannel = 43;
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(60);

    private readonly SoakPlan _plan;
    private readonly Dictionary<Peer, SoakLink> _byPeer = [];
    private readonly ConcurrentQueue<(Peer Peer, SoakTerms Terms)> _terms = new();
    private readonly MemoryRegion _destinationRegion;
    private long _mismatches;

    public SoakNode(SoakPlan plan, int index)
    {
        _plan = plan;
        Index = index;
        Engine = plan.BuildEngine();
        Source = new NativeBuffer(SoakArea.Total(plan.Nodes));
        Destination = new NativeBuffer(SoakArea.Total(plan.Nodes));
        SourceRegion = Engine.Register(Source);
        _destinationRegion = Engine.Register(Destination);
        Counters = [.. Enumerable.Range(0, plan.Nodes).Select(_ => new[] { Engine.AllocateCounter(), Engine.AllocateCounter() })];
    }

    public int Index { get; }

    public TransferEngine Engine { get; }

    public NativeBuffer Source { get; }

    public NativeBuffer Destination { get; }

    public MemoryRegion SourceRegion { get; }

    /// <summary>What this node counts, by sending node and stream.</summary>
    public ImmCounter[][] Counters { get; }

    public static uint BarrierNumber(int node) => 100 + (uint)node;

    public void CountMismatch() => Interlocked.Increment(ref _mismatches);

    /// <summary>Runs to the end of the plan's time; what went wrong, empty when nothing did.</summary>
    public async Task<List<string>> RunAsync(Report report)
    {
        Engine.RegisterMessageHandler(TermsChannel, (peer, bytes) => _terms.Enqueue((peer, SoakTerms.Parse(bytes))));
        SoakLink[] links = await ConnectAsync();
        Engine.RegisterMessageHandler(RoundChannel, (peer, bytes) =>
        {
            var round = SoakRound.Parse(bytes);
            _byPeer[peer].Rounds[round.Stream].Writer.TryWrite(round);
        });
        Engine.RegisterMessageHandler(AnswerChannel, (peer, bytes) => _byPeer[peer].Answers[bytes[0]].Writer.TryWrite((BitConverter.ToInt64(bytes[2..]), bytes[1] != 0)));
        Engine.RegisterMessageHandler(DoneChannel, (peer, _) => _byPeer[peer].Done.TrySetResult());

        using PeerGroup group = Engine.CreatePeerGroup([.. links.Select(static link => link.Peer)]);
        SoakSender[] senders =
        [
            .. links.Select(link => new SoakSender(this, 0, [link], group, _plan.RandomOf(Index, link.Node))),
            new SoakSender(this, 1, links, group, _plan.RandomOf(Index, Index)),
        ];
        Task[] receiving = [.. links.SelectMany(link => Enumerable.Range(0, SoakArea.Streams).Select(stream => new SoakReceiver(this, link, stream).RunAsync()))];
        using var stop = new CancellationTokenSource();
        Task[] sending = [.. senders.Select(sender => Task.Run(() => sender.RunAsync(stop.Token)))];
        Task failed = FirstFailureAsync([.. sending, .. receiving]);

        await Task.WhenAny(failed, Task.Delay(_plan.WarmUp));
        ResourceUse before = ResourceUse.Now();
        await Task.WhenAny(failed, Task.Delay(_plan.Time - _plan.WarmUp));
        await stop.CancelAsync();
        await Task.WhenAll(sending).WaitAsync(s_deadline);
        ResourceUse after = ResourceUse.Now();
        foreach (SoakLink link in links)
            await Engine.SendAsync(link.Peer, DoneChannel, new byte[1]);
        await Task.WhenAll(links.Select(static link => link.Done.Task)).WaitAsync(s_deadline);
        foreach (SoakLink link in links)
        {
            foreach (Channel<SoakRound> rounds in link.Rounds)
                rounds.Writer.Complete();
        }

        await Task.WhenAll(receiving).WaitAsync(s_deadline);
        return Conclude(report, senders, before, after);
    }

    public async ValueTask DisposeAsync()
    {
        await Engine.DisposeAsync();
        Source.Dispose();
        Destination.Dispose();
    }

    private static async Task FirstFailureAsync(List<Task> tasks)
    {
        while (tasks.Count > 0)
        {
            Task ended = await Task.WhenAny(tasks);
            if (ended.IsFaulted)
                return;
            tasks.Remove(ended);
        }
    }

    private async Task<SoakLink[]> ConnectAsync()
    {
        // Published until all have met.
        await using IAsyncDisposable published = await Rendezvous.PublishAsync(_plan.PlaceOf(Index), Engine.Address.ToString());
        for (int node = 0; node < Index; node++)
            await Engine.ConnectAsync(NetAddress.Parse(await Rendezvous.FindAsync(_plan.PlaceOf(node), s_deadline)), s_deadline);
        long until = Environment.TickCount64 + (long)s_deadline.TotalMilliseconds;
        byte[] terms = new SoakTerms(Index, [.. Counters.SelectMany(static counters => counters).Select(static counter => counter.Immediate)], _destinationRegion.Export()).ToBytes();
        var greeted = new HashSet<Peer>();
        var links = new List<SoakLink>();
        while (links.Count < _plan.Nodes - 1 || greeted.Count < _plan.Nodes - 1)
        {
            if (Environment.TickCount64 > until)
                throw new TimeoutException($"Node {Index} met {links.Count} of {_plan.Nodes - 1} others within {s_deadline.TotalSeconds} s; its peers are {string.Join(", ", Engine.Peers)}; {Engine.GetStatistics()}");
            foreach (Peer peer in Engine.Peers)
            {
                if (greeted.Add(peer))
                    await Engine.SendAsync(peer, TermsChannel, terms);
            }

            while (_terms.TryDequeue(out (Peer Peer, SoakTerms Terms) met))
            {
                var link = new SoakLink(Index, met.Peer, met.Terms);
                _byPeer.Add(met.Peer, link);
                links.Add(link);
            }

            await Task.Delay(10);
        }

        return [.. links.OrderBy(static link => link.Node)];
    }

    private List<string> Conclude(Report report, SoakSender[] senders, ResourceUse before, ResourceUse after)
    {
        EngineStatistics statistics = Engine.GetStatistics();
        var errors = new List<string>();
        if (_mismatches != 0)
            errors.Add($"{_mismatches} rounds arrived with other bytes");
        if (before.GrowthTo(after) is { } growth)
            errors.Add(growth);
        if (statistics is not { TransfersFailed: 0, TransfersActive: 0, TransfersOutstanding: 0, WritesLeaked: 0, StaleImmediates: 0, MessagesDropped: 0 })
            errors.Add($"the engine's books do not close: {statistics}");
        var kinds = senders.SelectMany(static sender => sender.Rounds).GroupBy(static pair => pair.Key).OrderBy(static kind => kind.Key, StringComparer.Ordinal);
        report.Row(
            "soak",
            [
                ("fabric", _plan.Fabric),
                ("node", Index),
                ("seconds", _plan.Time.TotalSeconds),
                ("bytes", senders.Sum(static sender => sender.Bytes)),
                .. kinds.Select(static kind => (kind.Key, (object)kind.Sum(static pair => pair.Value))),
                ("mismatches", _mismatches),
                ("managed_growth_bytes", after.ManagedBytes - before.ManagedBytes),
                ("resident_growth_bytes", after.ResidentBytes - before.ResidentBytes),
                ("descriptors", after.Descriptors),
                ("descriptor_growth", after.Descriptors - before.Descriptors),
                ("thread_growth", after.Threads - before.Threads),
            ]);
        return errors;
    }
}
