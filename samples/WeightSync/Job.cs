using Garden.Fabric.Loopback;
using Garden.Weights;

namespace WeightSync;

/// <summary>Runs the ranks of a model that this process is to run, or the processes that do.</summary>
internal static class Job<TMap>
    where TMap : unmanaged, IWeightShardMap<TMap>
{
    public static async Task<int> RunAsync(SampleOptions options, CancellationToken cancellationToken)
    {
        using var scratch = new ScratchDirectory();
        options = options with { Checkpoint = options.Checkpoint ?? scratch.PathOf("checkpoint"), Place = options.Place ?? scratch.PathOf("addresses") };
        if (options.Model == ModelName.TinyMoe && options.Role == Role.All)
            CheckpointWriter.Write<TMap>(options.Checkpoint, options.Seed);
        Directory.CreateDirectory(options.Place);
        if (options.Role == Role.All && options.Fabric == FabricName.Tcp)
            return await RankProcesses.RunAsync(options, cancellationToken);

        // What a controller works out once and every rank loads; here each rank works out the same.
        WeightMeshes<TMap> meshes = WeightMeshes<TMap>.Create(new WeightMesh(options.Trainers), new WeightMesh(options.Inference));
        WeightSchedule schedule = WeightSchedule.Plan(meshes);
        if (options.Role == Role.Trainer)
            return await TrainerRank<TMap>.RunAsync(Engines.OnTcp(), schedule, meshes, options, options.Rank, cancellationToken) ? 0 : 1;
        if (options.Role == Role.Inference)
            return await InferenceRank<TMap>.RunAsync(Engines.OnTcp(), schedule, meshes, options, options.Rank, cancellationToken) ? 0 : 1;
        var network = new LoopbackNetwork();
        bool[] ended = await Task.WhenAll(
        [
            .. Enumerable.Range(0, options.Inference).Select(rank => InferenceRank<TMap>.RunAsync(Engines.OnLoopback(network, $"inference{rank}"), schedule, meshes, options, rank, cancellationToken)),
            .. Enumerable.Range(0, options.Trainers).Select(rank => TrainerRank<TMap>.RunAsync(Engines.OnLoopback(network, $"trainer{rank}"), schedule, meshes, options, rank, cancellationToken)),
        ]);
        return ended.All(static well => well) ? 0 : 1;
    }
}
