using Garden.Fabric.Loopback;

namespace Garden.Core.Tests.Engine;

/// <summary>Engines without threads: what the worker does is deterministic here, and what it allocates is countable.</summary>
[Collection(Memory.NativeListsCollection.Name)]
public sealed class CallerDrivenTests
{
    [Fact]
    public void TheCallerDrivesConnectionTransferAndMessages()
    {
        using Driven driven = new();
        ImmCounter counter = driven.Receiver.AllocateCounter();
        driven.Drive(driven.Sender.SubmitSingleWrite(driven.Source, 0, driven.Destination, 0, 100_000, counter.Immediate));
        driven.Until(() => counter.Value == 2);
        Assert.Equal(2, counter.Value);
        counter.Dispose(drainConfirmed: true);
    }

    [Fact]
    public void AnEngineWithWorkersIsNotPolled()
    {
        TransferEngine engine = EnginePair.Build(new LoopbackNetwork(), new LoopbackOptions { Name = "one" });
        Assert.Throws<InvalidOperationException>(() => engine.Poll());
        engine.DisposeAsync().AsTask().GetAwaiter().GetResult();
        Assert.Throws<ObjectDisposedException>(() => engine.AllocateCounter());
    }

    [Fact]
    public void H4_TrySubmitOnAFullRingIsFalseAndSubmitDrivesTheEngineItself()
    {
        using Driven driven = new(options => options.RingSlots = 4);
        var write = new SingleWrite(driven.Source.Handle, 0, driven.Destination.Handle, 0, 8, default);
        var transfers = new List<Transfer>();
        while (driven.Sender.TrySubmit(in write, default, out Transfer transfer))
            transfers.Add(transfer);
        Assert.Equal(4, transfers.Count);
        transfers.Add(driven.Sender.Submit(in write));
        foreach (Transfer transfer in transfers)
            driven.Drive(transfer);
        Assert.Equal(0, driven.Sender.GetStatistics().TransfersOutstanding);
    }

    /// <summary>A turn may cost system calls: one a transfer made single-page transfers over tcp half as fast as they are now.</summary>
    [Fact]
    public void ShortTransfersThatWaitForALaneShareATurn()
    {
        const int Depth = 16, Writes = 10 * Depth;
        using Driven driven = new(queueDepth: Depth);
        var transfers = new List<Transfer>();
        for (int i = 0; i < Writes; i++)
            transfers.Add(driven.Sender.SubmitSingleWrite(driven.Source, 0, driven.Destination, 0, 8));
        int turns = 0;
        driven.Until(() => ++turns > 0 && transfers.TrueForAll(static transfer => transfer.IsCompleted));
        Assert.InRange(turns, Writes / Depth, 4 * Writes / Depth);
        transfers.ForEach(static transfer => transfer.GetResult());
    }

    [Fact]
    public void SubmittingExpandingPostingPollingAndCompletingAllocateNothing()
    {
        using Driven driven = new();
        using PageList pages = PageList.Create([5, 1, 9, 2, 7, 3]);
        ImmCounter counter = driven.Receiver.GetCounter(1);
        int[] indices = [3, 1, 2];
        // Long enough for what is made once, and for the methods' optimised versions.
        for (int i = 0; i < 500; i++)
            Step();
        Assert.Equal(0, Garden.Testing.Allocations.Least(() =>
        {
            for (int i = 0; i < 1000; i++)
                Step();
        }));
        Assert.True(counter.Value > 1000);

        void Step()
        {
            driven.Drive(driven.Sender.SubmitSingleWrite(driven.Source, 0, driven.Destination, 0, 64, Immediate.FromNumber(1)));
            driven.Drive(driven.Sender.SubmitPagedWrites(
                driven.Source, new PageSpan(indices, 64), driven.Destination, new PageSpan(indices, 128), 64, Immediate.FromNumber(1)));
            driven.Drive(driven.Sender.Submit(new PagedWrites
            {
                Source = driven.Source.Handle,
                Destination = driven.Destination.Handle,
                Count = 6,
                PageLength = 32,
                SourcePages = pages.Handle,
                DestinationPages = pages.Handle,
                SourceStride = 64,
                DestinationStride = 32,
            }));
            driven.Drive(driven.Sender.SubmitImmediate(driven.Peer, Immediate.FromNumber(1)));
        }
    }

    [Fact]
    public void WatchersCoalesceAndAHandlerThatGotLessFarIsCalledAgain()
    {
        using Driven driven = new();
        var calls = new List<(ulong Handled, ulong Reached)>();
        bool refuse = true;
        using ProgressWatcher watcher = driven.Sender.AllocateProgressWatcher((handled, reached) =>
        {
            calls.Add((handled, reached));
            return refuse ? handled + 1 : reached;
        });
        watcher.Signal(2);
        watcher.Signal(5);
        watcher.Signal(3);
        driven.Sender.Poll();
        refuse = false;
        driven.Sender.Poll();
        driven.Sender.Poll();
        Assert.Equal([(0UL, 5UL), (1UL, 5UL)], calls);
        Assert.Equal(5UL, watcher.Value);
    }

    [Fact]
    public unsafe void AWatcherArmedForADeviceSeesRaisesWithoutASignal()
    {
        using Driven driven = new();
        ulong seen = 0;
        using ProgressWatcher watcher = driven.Sender.AllocateProgressWatcher((_, reached) => seen = reached);
        Volatile.Write(ref *(ulong*)watcher.Address, 7);
        driven.Sender.Poll();
        Assert.Equal(0UL, seen);
        watcher.ArmForDevice();
        driven.Sender.Poll();
        Assert.Equal(7UL, seen);
        Volatile.Write(ref *(ulong*)watcher.Address, 8);
        driven.Sender.Poll();
        Assert.Equal(8UL, seen);
    }

    [Fact]
    public unsafe void AnAddressThatADeviceMayStillStoreToIsNobodyElses()
    {
        using Driven driven = new();
        ProgressWatcher armed = driven.Sender.AllocateProgressWatcher((_, reached) => reached);
        nint address = armed.Address;
        armed.ArmForDevice();
        armed.Dispose();
        var seen = new List<ulong>();
        using (ProgressWatcher next = driven.Sender.AllocateProgressWatcher((_, reached) =>
        {
            seen.Add(reached);
            return reached;
        }))
        {
            Assert.NotEqual(address, next.Address);
            // The device knows nothing of the watcher's end.
            Volatile.Write(ref *(ulong*)address, 9);
            next.Signal(1);
            driven.Sender.Poll();
        }

        Assert.Equal([1UL], seen);
        Assert.Throws<ObjectDisposedException>(() => armed.ArmForDevice());
        armed.ArmForDevice(false);
        armed.ArmForDevice(false);
        using ProgressWatcher third = driven.Sender.AllocateProgressWatcher((_, reached) => reached), fourth = driven.Sender.AllocateProgressWatcher((_, reached) => reached);
        Assert.Equal(address, fourth.Address);
        Assert.NotEqual(third.Address, fourth.Address);
        Assert.Equal(0UL, third.Value + fourth.Value);
    }

    [Fact]
    public void APlanLongerThanASlotTravelsInABlock()
    {
        long blocks = NativeBlock.Outstanding;
        using Driven driven = new();
        driven.Drive(driven.Sender.Submit(new LongPlan(driven.Source.Handle, driven.Destination.Handle)));
        Assert.Equal((byte)9, driven.DestinationBuffer.Span(0, 1)[0]);
        Assert.Equal(blocks, NativeBlock.Outstanding);
    }

    /// <summary>A user's own plan, 136 bytes long.</summary>
    private readonly struct LongPlan(RegionHandle source, RegionHandle destination) : ITransferPlan<LongPlan>
    {
        private readonly Filler _filler = default;
        private readonly RegionHandle _source = source;
        private readonly RegionHandle _destination = destination;

        public static void Validate(in LongPlan plan, ref PlanValidator validator)
        {
            validator.RequireSource(plan._source, 0, 1);
            validator.RequireDestination(plan._destination, 0, 1);
        }

        public static long CountUnits(in LongPlan plan) => 1 + plan._filler.First;

        public static int Expand(in LongPlan plan, ref PlanCursor cursor, Span<WriteDescriptor> descriptors)
        {
            descriptors[0] = WriteDescriptor.Create(plan._source, 0, plan._destination, 0, 1, default, 1);
            cursor.IsCompleted = true;
            return 1;
        }

        [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Sequential, Size = 128)]
        private readonly struct Filler
        {
            public readonly long First;
        }
    }

    private sealed class Driven : IDisposable
    {
        public Driven(Action<TransferEngineOptions>? configure = null, int queueDepth = 1024)
        {
            var network = new LoopbackNetwork();
            Sender = Build(network, "sender", configure, queueDepth);
            Receiver = Build(network, "receiver", configure, queueDepth);
            SourceBuffer = new NativeBuffer(1 << 20);
            SourceBuffer.Span(0, 1 << 20).Fill(9);
            DestinationBuffer = new NativeBuffer(1 << 20);
            Source = Sender.Register(SourceBuffer);
            Task<Peer> connecting = Sender.ConnectAsync(Receiver.Address).AsTask();
            Until(() => connecting.IsCompleted);
            Peer = connecting.GetAwaiter().GetResult();
            Destination = Peer.Import(Receiver.Register(DestinationBuffer).Export());
        }

        public TransferEngine Sender { get; }

        public TransferEngine Receiver { get; }

        public NativeBuffer SourceBuffer { get; }

        public NativeBuffer DestinationBuffer { get; }

        public MemoryRegion Source { get; }

        public RemoteRegion Destination { get; }

        public Peer Peer { get; }

        public void Drive(Transfer transfer)
        {
            while (!transfer.IsCompleted)
                Poll();
            transfer.GetResult();
            Poll();
        }

        public void Until(Func<bool> condition) => Garden.Testing.Deadline.Default.PollUntil(condition, () => Poll(), () => "caller-driven state");

        public void Dispose()
        {
            Sender.DisposeAsync().AsTask().GetAwaiter().GetResult();
            Receiver.DisposeAsync().AsTask().GetAwaiter().GetResult();
            SourceBuffer.Dispose();
            DestinationBuffer.Dispose();
        }

        private static TransferEngine Build(LoopbackNetwork network, string name, Action<TransferEngineOptions>? configure, int queueDepth) =>
            TransferEngine.CreateBuilder().UseLoopback(network, new LoopbackOptions { Name = name, QueueDepth = queueDepth }).Configure(options =>
            {
                options.CallerDriven = true;
                configure?.Invoke(options);
            }).Build();

        private bool Poll() => Sender.Poll() | Receiver.Poll();
    }
}
