using Garden.Fabric;
using Garden.Fabric.Loopback;

namespace Garden.Core.Tests.Engine;

[Collection(Memory.NativeListsCollection.Name)]
public sealed class LifetimeTests
{
    [Fact]
    public async Task T1_AThousandEnginesComeAndGoWithRegisteredMemoryAndRunningTransfers()
    {
        var network = new LoopbackNetwork();
        await using TransferEngine receiver = EnginePair.Build(network, new LoopbackOptions { Name = "receiver" });
        using var buffer = new NativeBuffer(4096);
        MemoryRegionDescriptor descriptor = receiver.Register(buffer).Export();
        long blocks = NativeBlock.Outstanding;
        int threads = System.Diagnostics.Process.GetCurrentProcess().Threads.Count;
        for (int i = 0; i < 1000; i++)
        {
            TransferEngine engine = EnginePair.Build(network, new LoopbackOptions { Name = "short", QueueDepth = 16, ReceiveQueueDepth = 16 }, options =>
            {
                options.MaxTransfers = 64;
                options.MaxRegions = 64;
                options.MaxPeers = 4;
                options.MaxCounters = 16;
                options.MaxNumbers = 16;
                options.MaxWatchers = 4;
                options.RingSlots = 16;
            });
            MemoryRegion source = engine.Register(buffer);
            if (i % 4 == 0)
            {
                Peer peer = await engine.ConnectAsync(receiver.Address, EnginePair.Limit);
                engine.SubmitSingleWrite(source, 0, peer.Import(descriptor), 0, 64).Forget();
            }

            await engine.DisposeAsync();
            await engine.DisposeAsync();
        }

        Assert.Equal(blocks, NativeBlock.Outstanding);
        await Wait.UntilAsync(() => receiver.Peers.Count == 0, "all peers gone");
        Assert.InRange(System.Diagnostics.Process.GetCurrentProcess().Threads.Count, 0, threads + 20);
        await using TransferEngine last = EnginePair.Build(network, new LoopbackOptions { Name = "last" });
        await last.ConnectAsync(receiver.Address, EnginePair.Limit);
    }

    [Fact]
    public async Task T1_DisposingEndsWhatIsRunningAndWaiting()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        pair.Network.HoldDeliveries("receiver");
        Task<TransferResult> running = pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 8).Ended();
        ImmCounter counter = pair.Sender.AllocateCounter();
        Task<long> wait = counter.Reaches(1);
        await pair.Sender.DisposeAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => running);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => wait);
        Assert.Throws<ObjectDisposedException>(() => pair.Sender.Submit(new SingleWrite(default, 0, default, 0, 0, default)));
        await pair.Peer.CloseAsync().AsTask().WaitAsync(EnginePair.Limit);
        Assert.Equal(0, counter.Value);
        pair.Network.ReleaseDeliveries("receiver");
    }

    [Fact]
    public async Task T3_AnErrorInTheWorkerFaultsTheEngineVisiblyAndHangsNobody()
    {
        var network = new LoopbackNetwork();
        var fabric = new BrokenFabric(new LoopbackFabric(network, new LoopbackOptions { Name = "broken" }));
        await using TransferEngine engine = TransferEngine.CreateBuilder().UseFabric(fabric).Build();
        await using TransferEngine other = EnginePair.Build(network, new LoopbackOptions { Name = "other" });
        using var buffer = new NativeBuffer(4096);
        MemoryRegion source = engine.Register(buffer);
        Peer peer = await engine.ConnectAsync(other.Address, EnginePair.Limit);
        RemoteRegion remote = peer.Import(other.Register(buffer).Export());
        ImmCounter counter = engine.AllocateCounter();
        Task<long> wait = counter.Reaches(1);
        network.HoldDeliveries("other");
        Task<TransferResult> running = engine.SubmitSingleWrite(source, 0, remote, 0, 8).Ended();
        fabric.Broken = true;
        // The write is still posted: its source memory is not the caller's again, and the cause is told.
        Assert.IsType<EngineFaultedException>((await Assert.ThrowsAsync<TransferNotDrainedException>(() => running)).InnerException);
        await Assert.ThrowsAsync<EngineFaultedException>(() => wait);
        EngineFaultedException refusal = Assert.Throws<EngineFaultedException>(() => engine.AllocateCounter());
        Assert.Contains("broken on purpose", refusal.Message, StringComparison.Ordinal);
        Assert.NotNull(engine.Failure);
        network.ReleaseDeliveries("other");
    }

    [Fact]
    public async Task T3_HandlersThatThrowDoNotStopTheEngine()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        int calls = 0;
        using IDisposable handler = pair.Receiver.RegisterMessageHandler(1, (_, _) =>
        {
            Interlocked.Increment(ref calls);
            throw new InvalidOperationException("a user's error");
        });
        using ProgressWatcher watcher = pair.Receiver.AllocateProgressWatcher((_, _) => throw new InvalidOperationException("another"));
        watcher.Signal(1);
        for (int i = 0; i < 5; i++)
            await pair.Sender.SendAsync(pair.Peer, 1, new byte[] { 1 });
        await Wait.UntilAsync(() => Volatile.Read(ref calls) == 5, "five calls");
        await pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 8).Ended();
        Assert.Null(pair.Receiver.Failure);
    }

    [Fact]
    public async Task H4_HandlersMaySubmitAndAreToldWhenTheyWouldWaitForThemselves()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(configure: options => options.RingSlots = 2);
        Peer? back = null;
        await Wait.UntilAsync(() => (back = pair.Receiver.Peers.FirstOrDefault()) is not null, "the peer");
        var outcome = new TaskCompletionSource<Exception?>();
        using IDisposable handler = pair.Receiver.RegisterMessageHandler(1, (_, _) =>
        {
            Exception? refused = null;
            int accepted = 0;
            var signal = new SingleWrite(default, 0, back!.SignalRegion, 0, 0, Immediate.FromNumber(6));
            while (pair.Receiver.TrySubmit(in signal, default, out Transfer transfer))
            {
                transfer.Forget();
                accepted++;
            }

            try
            {
                pair.Receiver.Submit(in signal).Forget();
            }
            catch (InvalidOperationException exception)
            {
                refused = exception;
            }

            outcome.TrySetResult(accepted == 2 ? refused : null);
        });
        await pair.Sender.SendAsync(pair.Peer, 1, new byte[] { 1 });
        Exception? said = await outcome.Task.WaitAsync(EnginePair.Limit);
        Assert.Contains("use TrySubmit", said!.Message, StringComparison.Ordinal);
        await pair.Sender.GetCounter(6).Reaches(2);
    }

    [Fact]
    public void AnEngineWithoutAFabricIsNotBuilt()
    {
        Assert.Throws<InvalidOperationException>(() => TransferEngine.CreateBuilder().Build());
        ArgumentOutOfRangeException wrong = Assert.Throws<ArgumentOutOfRangeException>(() =>
            TransferEngine.CreateBuilder().UseLoopback(new LoopbackNetwork(), "a").Configure(options => options.RingSlots = 100).Build());
        Assert.Contains("power of two", wrong.Message, StringComparison.Ordinal);
    }

    /// <summary>A fabric whose NIC throws when it is polled, once told to.</summary>
    private sealed class BrokenFabric(IFabric inner) : IFabric
    {
        public bool Broken { get; set; }

        public string Name => inner.Name;

        public IReadOnlyList<IFabricDomain> Open(FabricOpenContext context) => [.. inner.Open(context).Select(domain => new BrokenDomain(this, domain))];

        private sealed class BrokenDomain(BrokenFabric owner, IFabricDomain inner) : Garden.Testing.DelegatingDomain(inner)
        {
            public override int Poll(Span<FabricCompletion> completions) =>
                owner.Broken ? throw new InvalidOperationException("broken on purpose") : base.Poll(completions);
        }
    }
}
