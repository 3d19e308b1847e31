using System.Diagnostics;
using Garden.Fabric;

namespace Garden.Interop.Tests.Libfabric;

/// <summary>Two connected engines of a fabric in this process, with a registered buffer each.</summary>
internal sealed class FabricEngines : IAsyncDisposable
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private FabricEngines(TransferEngine sender, TransferEngine receiver, long bytes)
    {
        Sender = sender;
        Receiver = receiver;
        SourceBuffer = new NativeBuffer(bytes);
        DestinationBuffer = new NativeBuffer(bytes);
        Source = sender.Register(SourceBuffer);
        DestinationRegion = receiver.Register(DestinationBuffer);
    }

    public TransferEngine Sender { get; }

    public TransferEngine Receiver { get; }

    public NativeBuffer SourceBuffer { get; }

    public NativeBuffer DestinationBuffer { get; }

    public MemoryRegion Source { get; }

    public MemoryRegion DestinationRegion { get; }

    public Peer Peer { get; private set; } = null!;

    public RemoteRegion Destination { get; private set; } = null!;

    public static async Task<FabricEngines> CreateAsync(IFabric sender, IFabric receiver, Action<TransferEngineOptions>? configure = null, long bytes = 4 << 20)
    {
        var pair = new FabricEngines(Build(sender, configure), Build(receiver, configure), bytes);
        pair.Peer = await pair.Sender.ConnectAsync(pair.Receiver.Address, Limit);
        pair.Reimport();
        return pair;
    }

    public static TransferEngine Build(IFabric fabric, Action<TransferEngineOptions>? configure = null) => TransferEngine.CreateBuilder()
        .UseFabric(fabric)
        .Configure(options =>
        {
            // Tests share two cores: workers park instead of spinning, which is also what is to be tested.
            options.WaitStrategy = WaitStrategy.Economic;
            configure?.Invoke(options);
        })
        .Build();

    public static async Task UntilAsync(Func<bool> condition, string what)
    {
        long started = Stopwatch.GetTimestamp();
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(started) > Limit)
                throw new TimeoutException($"Waited {Limit} for: {what}");
            await Task.Delay(1);
        }
    }

    public static Task<TransferResult> EndAsync(Transfer transfer) => transfer.AsValueTask().AsTask().WaitAsync(Limit);

    public static Task<long> ReachAsync(ImmCounter counter, long units, params Peer[] peers) => counter.WaitAsync(units, Limit, peers).AsTask().WaitAsync(Limit + Limit);

    /// <summary>Takes the destination's descriptor again, after it was renewed.</summary>
    public void Reimport() => Destination = Peer.Import(DestinationRegion.Export());

    /// <summary>Fills the source with bytes of a seed and the destination with poison.</summary>
    public void Fill(int seed)
    {
        new Random(seed).NextBytes(SourceBuffer.Span(0, (int)SourceBuffer.Length));
        DestinationBuffer.Span(0, (int)DestinationBuffer.Length).Fill(0xCD);
    }

    /// <summary>Asserts that exactly [to, to + length) holds the source bytes and everything else is still poison.</summary>
    public void AssertMoved(long from, long to, long length)
    {
        Assert.True(SourceBuffer.Span(from, (int)length).SequenceEqual(DestinationBuffer.Span(to, (int)length)), "payload differs");
        Assert.False(DestinationBuffer.Span(0, (int)to).ContainsAnyExcept((byte)0xCD), "bytes before the range were written");
        int behind = (int)(DestinationBuffer.Length - to - length);
        Assert.False(DestinationBuffer.Span(to + length, behind).ContainsAnyExcept((byte)0xCD), "bytes behind the range were written");
    }

    public async ValueTask DisposeAsync()
    {
        await Sender.DisposeAsync();
        await Receiver.DisposeAsync();
        SourceBuffer.Dispose();
        DestinationBuffer.Dispose();
    }
}
