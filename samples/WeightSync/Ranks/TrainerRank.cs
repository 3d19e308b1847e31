using Garden;
using Garden.Weights;

namespace WeightSync;

/// <summary>A trainer rank: loads what it holds of the checkpoint, changes it every step, and sends it.</summary>
internal static class TrainerRank<TMap>
    where TMap : unmanaged, IWeightShardMap<TMap>
{
    /// <summary>True when every step was complete on all receivers, but for one that was to be killed.</summary>
    public static async Task<bool> RunAsync(
        TransferEngine engine, WeightSchedule schedule, WeightMeshes<TMap> meshes, SampleOptions options, int rank, CancellationToken cancellationToken)
    {
        await using TransferEngine owned = engine;
        string name = $"trainer{rank}";
        using var checkpoint = SafetensorsCheckpoint.Open(options.Checkpoint!);
        var trained = new TrainedSource(new SafetensorsSource<TMap>(checkpoint));
        var middle = new MidUpdate(trained, options.Place!, TMap.TensorCount / 2);
        using var memory = new NativeBuffer(meshes.TrainerBytes);
        await using MemoryRegion tensors = engine.Register(memory);
        await using var sender = new WeightSender<TMap>(engine, schedule, rank, new WeightSenderOptions
        {
            Tensors = tensors,
            Source = middle,
            Verify = options.Verify,
            Watermark = options.WatermarkMiB << 20,
            Name = name,
        });
        await using IAsyncDisposable published = await Addresses.PublishAsync(options, name, engine);
        for (int receiver = 0; receiver < options.Inference; receiver++)
            await sender.ConnectReceiverAsync(receiver, await Addresses.ConnectAsync(options, $"inference{receiver}", engine, cancellationToken), options.Deadline, cancellationToken);
        foreach (int holder in sender.GatherRanks)
            await sender.ConnectTrainerAsync(holder, await Addresses.ConnectAsync(options, $"trainer{holder}", engine, cancellationToken), options.Deadline, cancellationToken);

        bool well = true;
        for (long step = 1; step <= options.Steps; step++)
        {
            trained.Step = step;
            middle.IsArmed = options.Kill is not null && rank == 0 && step == options.Steps;
            WeightStepReport report = await sender.UpdateAsync(step, options.Deadline, cancellationToken);
            Console.WriteLine($"{name}: {report}; {Times(report.Times)}");
            well &= report.Failures.All(failure => failure.Rank == options.Kill && step == options.Steps);
        }

        return well;
    }

    private static string Times(WeightStageTimes times) =>
        $"load {times.Load.TotalMilliseconds:0} ms, gather {times.Gather.TotalMilliseconds:0}, assemble {times.Assemble.TotalMilliseconds:0}, hash {times.Hash.TotalMilliseconds:0}, "
        + $"write {times.Write.TotalMilliseconds:0} ({times.BytesWritten / 1e6:0.0} MB), barrier {times.Barrier.TotalMilliseconds:0}";
}
