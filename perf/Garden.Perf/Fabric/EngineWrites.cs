using System.Diagnostics;
using Garden.Fabric;

namespace Garden.Perf.Fabric;

/// <summary>The same writes through two caller-driven engines.</summary>
internal sealed class EngineWrites : IWritePair
{
    private const int MostSingles = 4096;
    private readonly Transfer[] _transfers = new Transfer[MostSingles];
    private readonly End _sender;
    private readonly End _receiver;

    public EngineWrites((IFabric Sender, IFabric Receiver) fabrics, PairMemory memory)
    {
        _sender = new End(fabrics.Sender, memory.Source);
        _receiver = new End(fabrics.Receiver, memory.Destination);
        ValueTask<Peer> connecting = _sender.Engine.ConnectAsync(_receiver.Engine.Address, TimeSpan.FromSeconds(20));
        var limit = new TurnLimit();
        while (!connecting.IsCompleted || _receiver.Engine.Peers.Count == 0)
        {
            Poll();
            limit.Count();
        }

        _sender.Attach(connecting.Result, _receiver.Region);
        _receiver.Attach(_receiver.Engine.Peers.Single(), _sender.Region);
    }

    public static int QueueDepthFor(int depth) => depth < 16 ? depth : 4 * depth;

    public void Write(Workload workload, long operations)
    {
        var limit = new TurnLimit();
        long units = TransferUnits.OfRun(workload.Bytes) * workload.WritesPerOperation;
        long target = _receiver.Counter.Value + (units * operations);
        int window = workload.Pages == 0 ? Math.Min(workload.Depth, MostSingles) : 2 + (workload.Depth / workload.Pages);
        long submitted = 0, ended = 0;
        int slot = 0;
        while (ended < operations || _receiver.Counter.Value < target)
        {
            for (; submitted < operations && submitted - ended < window; submitted++, slot = workload.Next(slot))
                _transfers[submitted % window] = workload.Pages == 0 ? SubmitSingle(workload, slot) : SubmitPaged(workload);
            Poll();
            for (; ended < submitted && _transfers[ended % window].IsCompleted; ended++)
                _transfers[ended % window].GetResult();
            limit.Count();
        }
    }

    public long OneWay(long bytes)
    {
        long started = Stopwatch.GetTimestamp();
        Transfer transfer = Pass(_sender, _receiver, bytes);
        long ticks = Stopwatch.GetTimestamp() - started;
        Settle(transfer);
        return ticks;
    }

    public long RoundTrip(long bytes)
    {
        long started = Stopwatch.GetTimestamp();
        Transfer there = Pass(_sender, _receiver, bytes);
        Transfer back = Pass(_receiver, _sender, bytes);
        long ticks = Stopwatch.GetTimestamp() - started;
        Settle(there);
        Settle(back);
        return ticks;
    }

    public void Dispose()
    {
        _sender.Dispose();
        _receiver.Dispose();
    }

    private static Transfer Pass(End from, End to, long bytes)
    {
        var limit = new TurnLimit();
        long target = to.Counter.Value + TransferUnits.OfRun(bytes);
        Transfer transfer = from.Engine.Submit(new SingleWrite(
            from.Region.Handle, PairMemory.LatencyOffset, from.Remote.Handle, PairMemory.LatencyOffset, bytes, to.Counter.Immediate));
        while (true)
        {
            Turn(from, to);
            if (to.Counter.Value >= target)
                return transfer;
            limit.Count();
        }
    }

    private void Settle(Transfer transfer)
    {
        var limit = new TurnLimit();
        while (!transfer.IsCompleted)
        {
            Poll();
            limit.Count();
        }

        transfer.GetResult();
    }

    private Transfer SubmitSingle(Workload workload, int slot) => _sender.Engine.Submit(new SingleWrite(
        _sender.Region.Handle,
        workload.SourceOffset(new WritePlace(slot, 0)),
        _sender.Remote.Handle,
        workload.DestinationOffset(new WritePlace(slot, 0)),
        workload.Bytes,
        _receiver.Counter.Immediate));

    private Transfer SubmitPaged(Workload workload) => _sender.Engine.Submit(new PagedWrites
    {
        Source = _sender.Region.Handle,
        Destination = _sender.Remote.Handle,
        Immediate = _receiver.Counter.Immediate,
        Count = workload.Pages,
        PageLength = workload.Bytes,
        SourcePages = workload.SourceList.Handle,
        DestinationPages = workload.DestinationList.Handle,
        SourceStride = workload.Stride,
        DestinationStride = workload.Stride,
    });

    private void Poll() => Turn(_sender, _receiver);

    private static void Turn(End first, End second)
    {
        bool worked = first.Engine.Poll();
        worked |= second.Engine.Poll();
        if (!worked && first.Nic is { } one && second.Nic is { } other && one.TryArm(out _) && other.TryArm(out _))
            DescriptorRest.Wait(one.WaitDescriptor, other.WaitDescriptor);
    }

    /// <summary>One engine with its memory and its counter.</summary>
    private sealed class End : IDisposable
    {
        public End(IFabric fabric, NativeBuffer memory)
        {
            Engine = TransferEngine.CreateBuilder().UseFabric(fabric).Configure(static options => options.CallerDriven = true).Build();
            Nic = (fabric as RestingFabric)?.Nic;
            Region = Engine.Register(memory);
            Counter = Engine.AllocateCounter();
        }

        public TransferEngine Engine { get; }

        /// <summary>What to wait for when there is nothing to do; null where ends are polled without a rest.</summary>
        public IFabricDomain? Nic { get; }

        public MemoryRegion Region { get; }

        public ImmCounter Counter { get; }

        public RemoteRegion Remote { get; private set; } = null!;

        public void Attach(Peer peer, MemoryRegion region) => Remote = peer.Import(region.Export());

        public void Dispose()
        {
            Counter.Dispose(drainConfirmed: true);
            Engine.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }
}
