using Garden.Weights;

namespace Garden.Generators.Integration.Weights.Model;

/// <summary>
/// Plays a whole update in memory: every route's assemblies and writes, against what the naive map says each rank's memory holds.
/// </summary>
internal sealed class UpdateCheck<TMap>
    where TMap : unmanaged, IWeightShardMap<TMap>
{
    private readonly WeightMeshes<TMap> _meshes;
    private readonly NaiveMap _naive;
    private readonly byte[][] _trainers;

    public UpdateCheck(int[] trainer, int[] inference)
    {
        _meshes = WeightMeshes<TMap>.Create(new WeightMesh(trainer), new WeightMesh(inference));
        _naive = new NaiveMap(typeof(TMap), Enumerable.Range(0, TMap.TensorCount).Select(WeightTensors<TMap>.NameOf), trainer, inference);
        _trainers = [.. Enumerable.Range(0, _meshes.Trainer.Ranks).Select(rank => (byte[])[.. NaiveMemory.OfTrainer(_naive, rank).Select(value => (byte)value)])];
    }

    /// <summary>Every byte of every inference rank is written once, with the right value, and the counts are right.</summary>
    public static void Run(int[] trainer, int[] inference)
    {
        var check = new UpdateCheck<TMap>(trainer, inference);
        foreach (byte[] memory in check._trainers)
            Assert.Equal(memory.Length, check._meshes.TrainerBytes);
        for (int rank = 0; rank < check._meshes.Inference.Ranks; rank++)
            check.RunRank(rank);
        check.CompareSends();
        HoldingCheck<TMap>.Run(check._meshes, check._naive);
    }

    private void RunRank(int rank)
    {
        short[] expected = NaiveMemory.OfInference(_naive, rank);
        Assert.Equal(expected.Length, _meshes.InferenceBytes);
        byte[] memory = new byte[expected.Length];
        byte[] writes = new byte[expected.Length];
        long units = 0, bytes = 0, count = 0;
        var received = new List<WeightRun>();
        foreach (WeightRun run in _meshes.Receives(rank))
            received.Add(run);
        var posted = new List<(int, long, long, long)>();
        for (int source = 0; source < _trainers.Length; source++)
        {
            using WeightRoute route = _meshes.Route(source, rank);
            byte[] staging = Assemble(route, _trainers[source]);
            foreach (WriteDescriptor write in PlanExpander.Expand(route))
            {
                byte[] from = write.Source == PlanExpander.Staging ? staging : _trainers[source];
                from.AsSpan((int)write.SourceOffset, (int)write.Length).CopyTo(memory.AsSpan((int)write.DestinationOffset));
                foreach (ref byte times in writes.AsSpan((int)write.DestinationOffset, (int)write.Length))
                    times++;
                posted.Add((source, write.SourceOffset, write.DestinationOffset, write.Length));
                (units, bytes, count) = (units + write.Units, bytes + write.Length, count + 1);
            }
        }

        for (int i = 0; i < expected.Length; i++)
        {
            if (writes[i] != (expected[i] < 0 ? 0 : 1) || (expected[i] >= 0 && memory[i] != expected[i]))
                Assert.Fail($"{_meshes.Trainer} to {_meshes.Inference}, rank {rank}, byte {i}: written {writes[i]} times, is {memory[i]}, should be {expected[i]}.");
        }

        WeightTotals totals = _meshes.ReceivedBy(rank);
        Assert.Equal((bytes, count, units), (totals.Bytes, totals.Writes, totals.Units));
        Assert.Equal(units, _meshes.ExpectedUnits(rank));
        Assert.Equal(posted.Order(), received.Select(run => (run.SourceRank, run.SourceOffset, run.DestinationOffset, run.Length)).Order());
    }

    /// <summary>What all ranks send is what all ranks receive.</summary>
    private void CompareSends()
    {
        var sent = new List<WeightRun>();
        var received = new List<WeightRun>();
        for (int rank = 0; rank < _meshes.Trainer.Ranks; rank++)
        {
            int before = sent.Count;
            foreach (WeightRun run in _meshes.Sends(rank))
                sent.Add(run);
            WeightTotals totals = _meshes.SentBy(rank);
            Assert.Equal(sent.Count - before, totals.Writes);
            Assert.Equal(sent.Skip(before).Sum(run => run.Length), totals.Bytes);
            Assert.Equal(sent.Skip(before).Select(run => run.DestinationRank).Distinct().Count(), totals.Peers);
        }

        for (int rank = 0; rank < _meshes.Inference.Ranks; rank++)
        {
            foreach (WeightRun run in _meshes.Receives(rank))
                received.Add(run);
        }

        Assert.Equal(sent.Count, received.Count);
        Assert.Empty(sent.Except(received));
    }

    private static byte[] Assemble(WeightRoute route, byte[] tensors)
    {
        byte[] staging = new byte[route.StagingBytes];
        foreach (WeightAssembly assembly in route.Assemblies)
        {
            if (assembly.Overlap.Stage == WeightStage.Packed)
                assembly.Pack(tensors, staging);
            else
                Convert(assembly.Overlap, staging.AsSpan((int)assembly.StagingOffset));
        }

        return staging;
    }

    /// <summary>Stands for the conversion: elements and scales named by what they are.</summary>
    internal static void Convert(in WeightOverlap overlap, Span<byte> staging)
    {
        WeightPart part = WeightPart.Of<TMap>()[overlap.Part];
        long columns = part.IsScales ? (part.Columns + NaiveMap.Block - 1) / NaiveMap.Block : part.Columns;
        int next = 0;
        for (int outer = 0; outer < overlap.OuterCount; outer++)
        {
            for (int expert = 0; expert < overlap.ExpertCount; expert++)
            {
                int tensor = part.FirstTensor + ((overlap.FirstOuter + (outer * overlap.OuterStep)) * part.Experts) + overlap.FirstExpert + expert;
                string name = WeightTensors<TMap>.NameOf(tensor);
                for (long element = overlap.PackedFirst; element < overlap.PackedEnd; element++)
                {
                    (long row, long column) = Math.DivRem(element, overlap.Columns.Count);
                    long number = ((overlap.Rows.First + row) * columns) + overlap.Columns.First + column;
                    for (int i = 0; i < overlap.ElementBytes; i++)
                        staging[next++] = NaiveMemory.ByteOf(name, part.IsScales ? 's' : 'v', number, i);
                }
            }
        }
    }
}
