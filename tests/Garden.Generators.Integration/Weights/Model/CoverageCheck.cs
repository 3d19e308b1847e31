using Garden.Weights;

namespace Garden.Generators.Integration.Weights.Model;

/// <summary>
/// What real models send a rank, as intervals: none overlap, together they are as long as what the rank holds, and probes of
/// single bytes come from the same element at the trainer.
/// </summary>
internal static class CoverageCheck<TMap>
    where TMap : unmanaged, IWeightShardMap<TMap>
{
    private const int Probes = 3000;

    public static void Run(WeightMeshes<TMap> meshes, params int[] inferenceRanks)
    {
        foreach (int rank in inferenceRanks)
            RunRank(meshes, rank);
    }

    private static void RunRank(WeightMeshes<TMap> meshes, int rank)
    {
        var runs = new List<WeightRun>();
        foreach (WeightRun run in meshes.Receives(rank))
            runs.Add(run);
        runs.Sort((left, right) => left.DestinationOffset.CompareTo(right.DestinationOffset));
        long bytes = 0, end = 0;
        foreach (WeightRun run in runs)
        {
            Assert.True(run.DestinationOffset >= end, $"{run} begins before {end}, where the run before it ends.");
            end = run.DestinationOffset + run.Length;
            bytes += run.Length;
        }

        Assert.True(end <= meshes.InferenceBytes);
        Assert.Equal(BytesHeld(meshes, rank), bytes);
        var random = new Random(rank + 1);
        for (int i = 0; i < Probes; i++)
            Probe(meshes, runs[random.Next(runs.Count)], random);
    }

    private static long BytesHeld(WeightMeshes<TMap> meshes, int rank)
    {
        long bytes = 0;
        for (int tensor = 0; tensor < TMap.TensorCount; tensor++)
        {
            foreach (bool scales in (bool[])[false, true])
            {
                if (WeightTensors<TMap>.AtInference(in meshes, rank, tensor, scales) is { } held)
                    bytes += held.Rows.Count * held.Columns.Count * held.Depth.Count * held.ElementBytes;
            }
        }

        return bytes;
    }

    private static void Probe(WeightMeshes<TMap> meshes, WeightRun run, Random random)
    {
        bool scales = WeightPart.Of<TMap>()[run.Part].IsScales;
        WeightHolding to = WeightTensors<TMap>.AtInference(in meshes, run.DestinationRank, run.Tensor, scales)!.Value;
        long at = random.NextInt64(run.Length);
        (long row, long column, long depth) = ElementOf(to, run.DestinationOffset + at - to.Offset);
        Assert.True(row < to.Rows.End && column < to.Columns.End && depth < to.Depth.End, $"{run} reaches into padding.");
        if (run.Stage != WeightStage.Direct)
            return;
        WeightHolding from = WeightTensors<TMap>.AtTrainer(in meshes, run.SourceRank, run.Tensor)!.Value;
        Assert.Equal((row, column, depth), ElementOf(from, run.SourceOffset + at - from.Offset));
        Assert.Equal((run.DestinationOffset + at - to.Offset) % to.ElementBytes, (run.SourceOffset + at - from.Offset) % from.ElementBytes);
    }

    private static (long Row, long Column, long Depth) ElementOf(WeightHolding holding, long offset)
    {
        long position = holding.Flat.First + (offset / holding.ElementBytes);
        Assert.InRange(position, holding.Flat.First, holding.Flat.End - 1);
        (long rest, long depth) = Math.DivRem(position, holding.Depth.Local);
        (long row, long column) = Math.DivRem(rest, holding.Columns.Local);
        return (row + holding.Rows.First, column + holding.Columns.First, depth + holding.Depth.First);
    }
}
