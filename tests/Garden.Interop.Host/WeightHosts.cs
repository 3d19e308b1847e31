using Garden.Samples;
using Garden.Weights;

namespace Garden.Interop.Host;

/// <summary>A trainer rank with memory of its own, connected to whoever has published its address.</summary>
public sealed class TrainerHost : IAsyncDisposable
{
    private readonly NativeBuffer _memory = new(HostWeights.Meshes.TrainerBytes);
    private readonly TransferEngine _engine;

    public TrainerHost(TransferEngine engine, int rank, IWeightSource? source)
    {
        _engine = engine;
        Sender = new WeightSender<HostWeights>(engine, HostWeights.Schedule, rank, new WeightSenderOptions
        {
            Tensors = engine.Register(_memory),
            Source = source,
            Verify = true,
            Name = $"trainer{rank}",
        });
    }

    public WeightSender<HostWeights> Sender { get; }

    /// <summary>Values of a step.</summary>
    public void Fill(long step) => new Random((int)(Sender.Rank + (step * 10))).NextBytes(_memory.Span(0, (int)_memory.Length));

    /// <summary>Connects to all ranks that are published under a place.</summary>
    public async Task ConnectAsync(string place)
    {
        foreach (int rank in Sender.ReceiverRanks)
            await ConnectReceiverAsync(place, rank);
        foreach (int rank in Sender.GatherRanks)
            await Sender.ConnectTrainerAsync(rank, await PeerAsync($"{place}-trainer{rank}"), WeightHosts.Limit);
    }

    public async Task ConnectReceiverAsync(string place, int rank) =>
        await Sender.ConnectReceiverAsync(rank, await PeerAsync($"{place}-inference{rank}"), WeightHosts.Limit);

    public async ValueTask DisposeAsync()
    {
        await Sender.DisposeAsync();
        await _engine.DisposeAsync();
        _memory.Dispose();
    }

    private async Task<Peer> PeerAsync(string place) =>
        await _engine.ConnectAsync(NetAddress.Parse(await Rendezvous.FindAsync(place, WeightHosts.Limit)), WeightHosts.Limit);
}

/// <summary>An inference rank with two buffers.</summary>
public sealed class InferenceHost : IAsyncDisposable
{
    private readonly NativeBuffer[] _memory = [new(HostWeights.Meshes.InferenceBytes), new(HostWeights.Meshes.InferenceBytes)];
    private readonly TransferEngine _engine;

    public InferenceHost(TransferEngine engine, int rank)
    {
        _engine = engine;
        Receiver = new WeightReceiver<HostWeights>(engine, HostWeights.Schedule, rank, new WeightReceiverOptions
        {
            Buffers = [.. _memory.Select(memory => engine.Register(memory))],
            Verify = true,
            Name = $"inference{rank}",
        });
    }

    public WeightReceiver<HostWeights> Receiver { get; }

    /// <summary>The bytes of a version.</summary>
    public ReadOnlySpan<byte> Bytes(WeightVersion version) => _memory[version.Buffer].Span(0, (int)_memory[version.Buffer].Length);

    public async ValueTask DisposeAsync()
    {
        await Receiver.DisposeAsync();
        await _engine.DisposeAsync();
        foreach (NativeBuffer memory in _memory)
            memory.Dispose();
    }
}

/// <summary>Ranks of a weight update as processes: they go on from a step until their input ends.</summary>
public static class WeightHosts
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>An inference rank that says "received STEP".</summary>
    public static async Task ReceiveAsync(TransferEngine engine, string place, int rank, long step, Task orphaned)
    {
        await using var host = new InferenceHost(engine, rank);
        await using IAsyncDisposable published = await Rendezvous.PublishAsync($"{place}-inference{rank}", $"{engine.Address}");
        Console.WriteLine("published");
        for (; !orphaned.IsCompleted; step++)
        {
            await host.Receiver.ReceiveAsync(step, Limit);
            host.Receiver.Swap();
            Console.WriteLine($"received {step}");
        }
    }

    /// <summary>A trainer rank that says "sent STEP", and "stuck" in the middle of step 2, where it stays.</summary>
    public static async Task TrainAsync(TransferEngine engine, string place, int rank, long step, Task orphaned)
    {
        var source = new StuckSource(HostWeights.TensorCount + (HostWeights.TensorCount / 2), orphaned);
        await using var host = new TrainerHost(engine, rank, source);
        await using IAsyncDisposable published = await Rendezvous.PublishAsync($"{place}-trainer{rank}", $"{engine.Address}");
        await host.ConnectAsync(place);
        Console.WriteLine("connected");
        for (; !orphaned.IsCompleted; step++)
        {
            host.Fill(step);
            Console.WriteLine($"sent {await host.Sender.UpdateAsync(step, Limit)}");
        }
    }

    private sealed class StuckSource(int last, Task orphaned) : IWeightSource
    {
        private int _calls;

        public async ValueTask LoadAsync(int tensor, WeightHolding holding, nint memory, CancellationToken cancellationToken)
        {
            if (_calls++ < last)
                return;
            Console.WriteLine("stuck");
            await orphaned.WaitAsync(cancellationToken);
        }
    }
}
