using Garden;
using Garden.Weights;

namespace WeightSync;

/// <summary>An inference rank: serves one version while the next one is written beside it, and swaps when it is whole.</summary>
internal static class InferenceRank<TMap>
    where TMap : unmanaged, IWeightShardMap<TMap>
{
    /// <summary>True when every step came whole.</summary>
    public static async Task<bool> RunAsync(
        TransferEngine engine, WeightSchedule schedule, WeightMeshes<TMap> meshes, SampleOptions options, int rank, CancellationToken cancellationToken)
    {
        await using TransferEngine owned = engine;
        string name = $"inference{rank}";
        using var first = new NativeBuffer(meshes.InferenceBytes);
        using var second = new NativeBuffer(meshes.InferenceBytes);
        await using MemoryRegion firstRegion = engine.Register(first), secondRegion = engine.Register(second);
        await using var receiver = new WeightReceiver<TMap>(engine, schedule, rank, new WeightReceiverOptions
        {
            Buffers = [firstRegion, secondRegion],
            Verify = options.Verify,
            InvalidateCaches = step => Console.WriteLine($"{name}: KV caches older than step {step} are worthless now."),
            Name = name,
        });
        await using IAsyncDisposable published = await Addresses.PublishAsync(options, name, engine);
        for (long step = 1; step <= options.Steps; step++)
        {
            await receiver.ReceiveAsync(step, options.Deadline, cancellationToken);
            // Here, between two batches, a server would swap.
            WeightVersion version = receiver.Swap();
            Console.WriteLine($"{name}: serves step {version.Step} from buffer {version.Buffer}, {meshes.InferenceBytes / 1e6:0.0} MB{(options.Verify ? ", all hashes equal" : "")}.");
        }

        // Trainers may be hearing of the last step still; they say goodbye first.
        await UntilAloneAsync(engine, cancellationToken);
        return true;
    }

    private static async Task UntilAloneAsync(TransferEngine engine, CancellationToken cancellationToken)
    {
        var left = new TaskCompletionSource();
        using IDisposable registration = engine.OnPeerFailed((_, _) =>
        {
            if (engine.Peers.Count == 0)
                left.TrySetResult();
        });
        if (engine.Peers.Count != 0)
            await left.Task.WaitAsync(TimeSpan.FromSeconds(30), cancellationToken);
    }
}
