using Garden.Perf.Weights;
using Garden.Testing;
using Garden.Weights;

namespace Garden.Generators.Integration.Weights.Routing;

/// <summary>Kimi-K2 from 256 trainer ranks to 128 inference ranks: loads against the max-flow bound, and coverage.</summary>
public sealed class KimiScheduleTests
{
    private static readonly WeightMesh s_inference = new(16, 8);

    [Fact]
    public void The_map_has_the_models_tensors_and_a_trillion_parameters()
    {
        Assert.Equal(69_975, KimiFlat.TensorCount);
        WeightMeshes<KimiFlat> one = WeightMeshes<KimiFlat>.Create(new(1), new(1, 1));
        // BF16, and alignment of small tensors.
        Assert.Equal(1.0264e12, one.TrainerBytes / 2.0, 0.001e12);
    }

    [Fact]
    public void Loads_of_a_flat_trainer_are_near_the_bound() => CheckLoads(WeightMeshes<KimiFlat>.Create(new(256), s_inference));

    [Fact]
    public void Loads_of_a_hybrid_trainer_are_near_the_bound() => CheckLoads(WeightMeshes<KimiHybrid>.Create(new(8, 4, 8), s_inference));

    [Fact]
    public void Loads_of_a_gathering_trainer_are_near_the_bound() => CheckLoads(WeightMeshes<KimiGathered>.Create(new(8, 4, 8), s_inference));

    [Fact]
    public void Loads_to_data_parallel_attention_are_near_the_bound() => CheckLoads(WeightMeshes<KimiHybrid>.Create(new(8, 4, 8), new(128, 1)));

    [Fact]
    public void Loads_are_near_the_bound_when_ranks_are_absent()
    {
        WeightMeshes<KimiGathered> meshes = WeightMeshes<KimiGathered>.Create(new(8, 4, 8), s_inference);
        WeightMembers members = WeightMembers.All(meshes.Trainer, meshes.Inference);
        // Two of the four that hold the same experts, and others.
        foreach (int rank in (int[])[0, 8, 77, 200, 255])
            members = members.WithTrainer(rank, false);
        CheckLoads(meshes, members);
    }

    [Fact]
    public void Every_byte_arrives_once()
    {
        CheckCoverage(WeightMeshes<KimiHybrid>.Create(new(8, 4, 8), s_inference), Extended.Times > 1 ? AllReceivers() : [[0, 77, 127]]);
        CheckCoverage(WeightMeshes<KimiFlat>.Create(new(256), s_inference), Extended.Times > 1 ? AllReceivers() : [[5]]);

        // Some at a time: their writes are held in memory.
        static IEnumerable<int[]> AllReceivers() => Enumerable.Range(0, s_inference.Ranks).Chunk(32);
    }

    /// <summary>The more tasks a sender has under way, the less it matters whom it meets at a receiver.</summary>
    [Fact]
    public void Senders_do_not_crowd_a_receiver()
    {
        WeightSchedule hybrid = WeightSchedule.Plan(WeightMeshes<KimiHybrid>.Create(new(8, 4, 8), s_inference));
        CheckCrowding(hybrid, outstanding: 2, most: 1.05);
        CheckCrowding(hybrid, outstanding: 8, most: 1.05);
        WeightSchedule flat = WeightSchedule.Plan(WeightMeshes<KimiFlat>.Create(new(256), s_inference));
        CheckCrowding(flat, outstanding: 8, most: 1.05);
    }

    private static void CheckCrowding(WeightSchedule schedule, int outstanding, double most)
    {
        (double planned, double shuffled) = Crowding.Of(schedule, outstanding);
        TestContext.Current.TestOutputHelper?.WriteLine($"{outstanding} tasks outstanding: {planned:f3} of the bound, {shuffled:f3} shuffled.");
        Assert.True(planned <= most, $"The last byte arrives after {planned:f3} times what the busiest NIC needs.");
        Assert.True(planned < shuffled, $"{planned:f3} as planned, {shuffled:f3} in any order.");
    }

    private static void CheckLoads<TMap>(WeightMeshes<TMap> meshes, WeightMembers? members = null)
        where TMap : unmanaged, IWeightShardMap<TMap>
    {
        WeightSchedule schedule = WeightSchedule.Plan(meshes, members);
        LoadBounds bounds = LoadBounds.Of(meshes, members is null ? null : members.HasTrainer);
        long[] sent = schedule.BytesSent(), received = schedule.BytesReceived();
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{schedule.Tasks} tasks; most sent {sent.Max()} of at least {bounds.Sent} ({(double)sent.Max() / bounds.Sent:f4}); most received {received.Max()} of {bounds.Received}.");
        Assert.True(sent.Max() <= 1.02 * bounds.Sent, $"A rank sends {sent.Max()} bytes; {bounds.Sent} would do.");
        Assert.Equal(bounds.ReceivedBy, received);
        Assert.Equal(received.Sum(), sent.Sum());
        // What the schedule says it sends is what its plans write.
        foreach (int rank in (int[])[1, 100, 254])
        {
            using WeightSenderPlan plan = schedule.SenderPlan(rank);
            Assert.Equal(sent[rank], plan.Totals.Bytes);
        }
    }

    private static void CheckCoverage<TMap>(WeightMeshes<TMap> meshes, IEnumerable<int[]> receivers)
        where TMap : unmanaged, IWeightShardMap<TMap>
    {
        WeightSchedule schedule = WeightSchedule.Plan(meshes);
        LoadBounds bounds = LoadBounds.Of(meshes);
        foreach (int[] some in receivers)
            CheckCoverage(meshes, schedule, bounds, some);
    }

    private static void CheckCoverage<TMap>(WeightMeshes<TMap> meshes, WeightSchedule schedule, LoadBounds bounds, int[] receivers)
        where TMap : unmanaged, IWeightShardMap<TMap>
    {
        var ranges = receivers.ToDictionary(rank => rank, _ => new List<(long First, long End)>());
        for (int sender = 0; sender < meshes.Trainer.Ranks; sender++)
        {
            using WeightSenderPlan plan = schedule.SenderPlan(sender);
            foreach (ref readonly WeightTask task in plan.Tasks)
            {
                foreach (ref readonly WeightSend send in plan.SendsOf(in task))
                {
                    if (ranges.TryGetValue(send.DestinationRank, out List<(long, long)>? own))
                        AddRanges(own, plan.Handle.Items.Slice(send.FirstPiece, send.PieceCount));
                }
            }
        }

        foreach ((int rank, List<(long First, long End)> own) in ranges)
        {
            own.Sort();
            (long end, long bytes) = (0, 0);
            foreach ((long first, long last) in own)
            {
                Assert.True(first >= end, $"Rank {rank}: a write begins at {first}, the one before ends at {end}.");
                (end, bytes) = (last, bytes + last - first);
            }

            Assert.True(end <= meshes.InferenceBytes);
            // Apart and as many bytes as the rank holds: each byte once.
            Assert.Equal(bounds.ReceivedBy[rank], bytes);
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{typeof(TMap).Name}: {receivers.Length} receivers, {ranges.Values.Sum(static own => (long)own.Count)} runs, {ranges.Keys.Sum(rank => bounds.ReceivedBy[rank])} bytes, each once.");
    }

    private static void AddRanges(List<(long First, long End)> ranges, ReadOnlySpan<WeightPiece> pieces)
    {
        foreach (ref readonly WeightPiece piece in pieces)
        {
            for (long outer = 0; outer < piece.OuterTurns; outer++)
            {
                for (long inner = 0; inner < piece.Levels[3].Count; inner++)
                {
                    long first = piece.RunAt(outer, inner).DestinationOffset;
                    ranges.Add((first, first + piece.Length));
                }
            }
        }
    }
}
