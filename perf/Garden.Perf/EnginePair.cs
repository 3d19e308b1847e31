using Garden.Fabric.Loopback;

namespace Garden.Perf;

/// <summary>Two connected engines with a registered buffer each; the sender's NIC may be a counting one.</summary>
internal sealed class EnginePair : IAsyncDisposable
{
    private const int MostTurns = 10_000_000;

    private EnginePair(TransferEngine sender, TransferEngine receiver, CountingFabric? counting)
    {
        Sender = sender;
        Receiver = receiver;
        Counting = counting;
    }

    public TransferEngine Sender { get; }

    public TransferEngine Receiver { get; }

    public CountingFabric? Counting { get; }

    public NativeBuffer SourceBuffer { get; private set; } = null!;

    public NativeBuffer DestinationBuffer { get; private set; } = null!;

    public MemoryRegion Source { get; private set; } = null!;

    public Peer Peer { get; private set; } = null!;

    public RemoteRegion Destination { get; private set; } = null!;

    public static async Task<EnginePair> CreateAsync(long bytes, bool counting, bool callerDriven, WaitStrategy? wait = null, int? cpu = null)
    {
        var network = new LoopbackNetwork();
        var senderFabric = new LoopbackFabric(network, new LoopbackOptions { Name = "sender" });
        CountingFabric? countingFabric = counting ? new CountingFabric(senderFabric) : null;
        TransferEngine sender = TransferEngine.CreateBuilder()
            .UseFabric(countingFabric is null ? senderFabric : countingFabric)
            .Configure(options =>
            {
                options.CallerDriven = callerDriven;
                options.WaitStrategy = wait ?? WaitStrategy.Balanced;
                if (cpu is { } pinned)
                    options.WorkerCpus = new Dictionary<int, int> { [0] = pinned };
            })
            .Build();
        TransferEngine receiver = TransferEngine.CreateBuilder()
            .UseLoopback(network, "receiver")
            .Configure(options => options.CallerDriven = callerDriven)
            .Build();
        var pair = new EnginePair(sender, receiver, countingFabric)
        {
            SourceBuffer = new NativeBuffer(bytes),
            DestinationBuffer = new NativeBuffer(bytes),
        };
        pair.Source = sender.Register(pair.SourceBuffer);
        MemoryRegion destination = receiver.Register(pair.DestinationBuffer);
        ValueTask<Peer> connecting = sender.ConnectAsync(receiver.Address);
        while (callerDriven && !connecting.IsCompleted)
            pair.Poll();
        pair.Peer = await connecting;
        pair.Destination = pair.Peer.Import(destination.Export());
        return pair;
    }

    public bool Poll() => Sender.Poll() | Receiver.Poll();

    /// <summary>One turn of a wait; ends it with an exception rather than never.</summary>
    public void PollBounded(ref int turns)
    {
        if (++turns > MostTurns)
            throw new TimeoutException($"Nothing came in {MostTurns} turns of both engines.");
        Poll();
    }

    public async ValueTask DisposeAsync()
    {
        await Sender.DisposeAsync();
        await Receiver.DisposeAsync();
        SourceBuffer.Dispose();
        DestinationBuffer.Dispose();
    }
}
