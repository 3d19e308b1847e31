using Garden.Generators.Integration.Weights.Model;
using Garden.Weights;

namespace Garden.Generators.Integration.Weights.Routing;

/// <summary>
/// Plays a schedule in memory: every task's gathers, assemblies and writes, against what the naive map says each rank's memory
/// holds.
/// </summary>
internal sealed class SchedulePlay<TMap>
    where TMap : unmanaged, IWeightShardMap<TMap>
{
    private readonly WeightSchedule _schedule;
    private readonly NaiveMap _naive;
    private readonly byte[][] _trainers;
    private readonly byte[][] _memory;
    private readonly byte[][] _writes;
    private readonly Dictionary<(int Source, int Destination), (int Sends, long Writes, long Bytes, long Units)> _received = [];

    private SchedulePlay(WeightSchedule schedule, WeightMeshes<TMap> meshes)
    {
        _schedule = schedule;
        _naive = new NaiveMap(
            typeof(TMap), Enumerable.Range(0, TMap.TensorCount).Select(WeightTensors<TMap>.NameOf), Sizes(meshes.Trainer), Sizes(meshes.Inference));
        _trainers = [.. Enumerable.Range(0, meshes.Trainer.Ranks).Select(rank => (byte[])[.. NaiveMemory.OfTrainer(_naive, rank).Select(value => (byte)value)])];
        _memory = [.. Enumerable.Range(0, meshes.Inference.Ranks).Select(_ => new byte[meshes.InferenceBytes])];
        _writes = [.. Enumerable.Range(0, meshes.Inference.Ranks).Select(_ => new byte[meshes.InferenceBytes])];

        static int[] Sizes(WeightMesh mesh) => [.. Enumerable.Range(0, mesh.Axes).Select(axis => mesh[axis])];
    }

    /// <summary>Every byte of every present inference rank is written once, with the right value, by present ranks; the counts are right.</summary>
    public static void Run(WeightSchedule schedule, WeightMeshes<TMap> meshes)
    {
        var play = new SchedulePlay<TMap>(schedule, meshes);
        long[] sent = schedule.BytesSent(), received = schedule.BytesReceived();
        for (int rank = 0; rank < meshes.Trainer.Ranks; rank++)
        {
            using WeightSenderPlan plan = schedule.SenderPlan(rank);
            Assert.True(plan.Tasks.IsEmpty || schedule.Members.HasTrainer(rank));
            Assert.Equal(sent[rank], plan.Totals.Bytes);
            play.Send(plan);
        }

        for (int rank = 0; rank < meshes.Inference.Ranks; rank++)
        {
            play.CheckMemory(rank);
            play.CheckExpectations(rank, received[rank]);
        }
    }

    private void Send(WeightSenderPlan plan)
    {
        foreach (ref readonly WeightTask task in plan.Tasks)
        {
            CheckGathers(plan, in task);
            byte[] staging = new byte[task.StagingBytes];
            Assert.True(task.StagingBytes <= plan.LargestStagingBytes);
            foreach (ref readonly WeightAssembly assembly in plan.AssembliesOf(in task))
            {
                if (assembly.Overlap.Stage == WeightStage.Packed)
                    assembly.Pack(_trainers[plan.Rank], staging);
                else
                    UpdateCheck<TMap>.Convert(assembly.Overlap, staging.AsSpan((int)assembly.StagingOffset));
            }

            long bytes = 0;
            foreach (ref readonly WeightSend send in plan.SendsOf(in task))
                bytes += Write(plan, in send, staging);
            Assert.Equal(task.Bytes, bytes);
        }
    }

    private long Write(WeightSenderPlan plan, in WeightSend send, byte[] staging)
    {
        Assert.True(_schedule.Members.HasInference(send.DestinationRank));
        var writes = new WeightWrites
        {
            Source = PlanExpander.Tensors,
            Staging = PlanExpander.Staging,
            Destination = PlanExpander.Destination,
            Immediate = Immediate.ForCounter(1, 1),
            Route = plan.Handle,
            First = send.FirstPiece,
            Count = send.PieceCount,
        };
        (long bytes, long units, int count) = (0, 0, 0);
        foreach (WriteDescriptor write in PlanExpander.Expand(in writes, 64))
        {
            byte[] from = write.Source == PlanExpander.Staging ? staging : _trainers[plan.Rank];
            from.AsSpan((int)write.SourceOffset, (int)write.Length).CopyTo(_memory[send.DestinationRank].AsSpan((int)write.DestinationOffset));
            foreach (ref byte times in _writes[send.DestinationRank].AsSpan((int)write.DestinationOffset, (int)write.Length))
                times++;
            (bytes, units, count) = (bytes + write.Length, units + write.Units, count + 1);
        }

        Assert.Equal((send.Bytes, send.Units), (bytes, units));
        var key = (plan.Rank, send.DestinationRank);
        _received.TryGetValue(key, out var sum);
        _received[key] = (sum.Sends + 1, sum.Writes + count, sum.Bytes + bytes, sum.Units + units);
        return bytes;
    }

    /// <summary>The gather buffer holds the elements of the task's rows and columns, in order, each from a present rank.</summary>
    private void CheckGathers(WeightSenderPlan plan, in WeightTask task)
    {
        WeightPiece[] gathers = plan.Gathers(in task);
        Assert.Equal(task.IsConverted, gathers.Length != 0);
        if (!task.IsConverted)
            return;
        const int element = 2;
        long stride = ((task.Rows.Count * task.Columns.Count * element) + 255) / 256 * 256;
        byte[] buffer = new byte[task.OuterCount * task.ExpertCount * stride], times = new byte[buffer.Length];
        foreach (WeightPiece piece in gathers)
        {
            Assert.True(_schedule.Members.HasTrainer(piece.SourceRank));
            for (long outer = 0; outer < piece.OuterTurns; outer++)
            {
                for (long inner = 0; inner < piece.Levels[3].Count; inner++)
                {
                    WeightRun run = piece.RunAt(outer, inner);
                    _trainers[piece.SourceRank].AsSpan((int)run.SourceOffset, (int)run.Length).CopyTo(buffer.AsSpan((int)run.DestinationOffset));
                    foreach (ref byte time in times.AsSpan((int)run.DestinationOffset, (int)run.Length))
                        time++;
                }
            }
        }

        WeightPart part = WeightPart.Of<TMap>()[task.Part];
        for (int tensor = 0; tensor < task.OuterCount * task.ExpertCount; tensor++)
        {
            (int outer, int expert) = (task.FirstOuter + (tensor / task.ExpertCount), task.FirstExpert + (tensor % task.ExpertCount));
            string name = WeightTensors<TMap>.NameOf(part.FirstTensor + (outer * part.Experts) + expert);
            for (long i = 0; i < task.Rows.Count * task.Columns.Count; i++)
            {
                long number = ((task.Rows.First + (i / task.Columns.Count)) * part.Columns) + task.Columns.First + (i % task.Columns.Count);
                long at = (tensor * stride) + (i * element);
                Assert.Equal((1, 1), (times[at], times[at + 1]));
                Assert.Equal(
                    (NaiveMemory.ByteOf(name, 'e', number, 0), NaiveMemory.ByteOf(name, 'e', number, 1)), (buffer[at], buffer[at + 1]));
            }
        }
    }

    private void CheckMemory(int rank)
    {
        short[] expected = NaiveMemory.OfInference(_naive, rank);
        bool present = _schedule.Members.HasInference(rank);
        for (int i = 0; i < expected.Length; i++)
        {
            if (_writes[rank][i] != (present && expected[i] >= 0 ? 1 : 0) || (present && expected[i] >= 0 && _memory[rank][i] != expected[i]))
                Assert.Fail($"{_schedule.Members}, rank {rank}, byte {i}: written {_writes[rank][i]} times, is {_memory[rank][i]}, should be {expected[i]}.");
        }
    }

    private void CheckExpectations(int rank, long received)
    {
        WeightExpectation[] expectations = _schedule.Expectations(rank);
        Assert.Equal(_received.Keys.Where(key => key.Destination == rank).Select(key => key.Source).Order(), expectations.Select(one => one.SourceRank));
        foreach (WeightExpectation one in expectations)
            Assert.Equal(_received[(one.SourceRank, rank)], (one.Sends, one.Writes, one.Bytes, one.Units));
        Assert.Equal(received, expectations.Sum(one => one.Bytes));
    }
}
