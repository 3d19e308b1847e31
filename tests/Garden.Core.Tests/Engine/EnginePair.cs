using Garden.Fabric.Loopback;

namespace Garden.Core.Tests.Engine;

/// <summary>Two engines on one loopback network, connected, with a registered buffer each.</summary>
internal sealed class EnginePair : IAsyncDisposable
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private EnginePair(LoopbackNetwork network, TransferEngine sender, TransferEngine receiver, long bytes)
    {
        Network = network;
        Sender = sender;
        Receiver = receiver;
        SourceBuffer = new NativeBuffer(bytes);
        DestinationBuffer = new NativeBuffer(bytes);
        Source = sender.Register(SourceBuffer);
        DestinationRegion = receiver.Register(DestinationBuffer);
    }

    public LoopbackNetwork Network { get; }

    public TransferEngine Sender { get; }

    public TransferEngine Receiver { get; }

    public NativeBuffer SourceBuffer { get; }

    public NativeBuffer DestinationBuffer { get; }

    public MemoryRegion Source { get; }

    public MemoryRegion DestinationRegion { get; }

    public Peer Peer { get; private set; } = null!;

    public RemoteRegion Destination { get; private set; } = null!;

    public static async Task<EnginePair> CreateAsync(
        LoopbackOptions? sender = null, LoopbackOptions? receiver = null, Action<TransferEngineOptions>? configure = null, long bytes = 1 << 20)
    {
        var network = new LoopbackNetwork();
        var pair = new EnginePair(
            network,
            Build(network, (sender ?? new LoopbackOptions { Name = "" }) with { Name = "sender" }, configure),
            Build(network, (receiver ?? new LoopbackOptions { Name = "" }) with { Name = "receiver" }, configure),
            bytes);
        pair.Peer = await pair.Sender.ConnectAsync(pair.Receiver.Address, Limit);
        pair.Destination = pair.Peer.Import(pair.DestinationRegion.Export());
        return pair;
    }

    public static TransferEngine Build(LoopbackNetwork network, LoopbackOptions options, Action<TransferEngineOptions>? configure = null) =>
        TransferEngine.CreateBuilder()
            .UseLoopback(network, options)
            .Configure(engine =>
            {
                // Tests share two cores: workers park instead of spinning.
                engine.WaitStrategy = WaitStrategy.Economic;
                configure?.Invoke(engine);
            })
            .Build();

    /// <summary>Fills the source with bytes of a seed and the destination with poison.</summary>
    public unsafe void Fill(int seed)
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
