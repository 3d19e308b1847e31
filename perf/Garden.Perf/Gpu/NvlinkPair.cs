using System.Diagnostics;
using Garden.Kernels;
using Garden.Kernels.Nvlink;

namespace Garden.Perf.Gpu;

/// <summary>Two engines over nvlink, on two GPUs or both on one, with a registered buffer each.</summary>
internal sealed class NvlinkPair : IAsyncDisposable
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(30);

    private NvlinkPair(KernelDevice sender, KernelDevice receiver, long bytes, NvlinkOptions options)
    {
        Sender = Build(sender, options);
        Receiver = Build(receiver, options);
        SourceBuffer = sender.Allocate(bytes);
        DestinationBuffer = receiver.Allocate(bytes);
        Source = SourceBuffer.RegisterWith(Sender);
        Destination = DestinationBuffer.RegisterWith(Receiver);
    }

    public TransferEngine Sender { get; }

    public TransferEngine Receiver { get; }

    public DeviceBuffer SourceBuffer { get; }

    public DeviceBuffer DestinationBuffer { get; }

    public BufferRegistration Source { get; }

    public BufferRegistration Destination { get; }

    /// <summary>The receiver's buffer, for the sender.</summary>
    public RemoteRegion Forth { get; private set; } = null!;

    /// <summary>The sender's buffer, for the receiver.</summary>
    public RemoteRegion Back { get; private set; } = null!;

    public Peer Peer { get; private set; } = null!;

    public Peer PeerBack { get; private set; } = null!;

    public static async Task<NvlinkPair> CreateAsync(KernelDevice sender, KernelDevice receiver, long bytes, NvlinkOptions? options = null)
    {
        var pair = new NvlinkPair(sender, receiver, bytes, options ?? new NvlinkOptions());
        pair.Peer = await pair.Sender.ConnectAsync(pair.Receiver.Address, s_deadline);
        pair.PeerBack = await pair.Receiver.ConnectAsync(pair.Sender.Address, s_deadline);
        pair.Forth = pair.Peer.Import(pair.Destination.Region.Export());
        pair.Back = pair.PeerBack.Import(pair.Source.Region.Export());
        return pair;
    }

    /// <summary>Waits without leaving the core: a continuation on another thread would be most of what is measured.</summary>
    public static void Await(Transfer transfer)
    {
        long started = Stopwatch.GetTimestamp();
        while (!transfer.IsCompleted)
        {
            if (Stopwatch.GetElapsedTime(started) > s_deadline)
                throw new TimeoutException("A transfer over nvlink did not end.");
        }

        transfer.GetResult();
    }

    public static TransferEngine Build(KernelDevice device, NvlinkOptions? options = null) =>
        TransferEngine.CreateBuilder().UseNvlink(device, options).Configure(static engine => engine.WaitStrategy = WaitStrategy.BusyPoll).Build();

    public async ValueTask DisposeAsync()
    {
        await Source.DisposeAsync();
        await Destination.DisposeAsync();
        await Sender.DisposeAsync();
        await Receiver.DisposeAsync();
        SourceBuffer.Dispose();
        DestinationBuffer.Dispose();
    }
}
