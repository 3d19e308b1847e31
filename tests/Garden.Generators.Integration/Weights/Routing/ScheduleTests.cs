using CsCheck;
using Garden.Weights;

namespace Garden.Generators.Integration.Weights.Routing;

/// <summary>Whole updates by schedule between small meshes: every byte arrives once, from the right place, also when ranks are absent.</summary>
public sealed class ScheduleTests
{
    [Theory]
    [InlineData(8, 1, 2, 2)]
    [InlineData(4, 2, 1, 4)]
    [InlineData(3, 1, 1, 2)]
    [InlineData(1, 3, 2, 1)]
    [InlineData(1, 1, 1, 1)]
    public void Every_byte_of_a_hybrid_model_arrives_once(int fsdp, int trainerTp, int ep, int tp) =>
        Play(WeightMeshes<SmallMoe>.Create(new(fsdp, trainerTp), new(ep, tp)), null);

    [Fact]
    public void Every_byte_arrives_once_between_random_meshes() =>
        Gen.Select(Gen.Int[1, 7], Gen.Int[1, 4], Gen.Int[1, 5], Gen.Int[0, 2].Select(power => 1 << power))
            .Sample((fsdp, trainerTp, ep, tp) => Play(WeightMeshes<SmallMoe>.Create(new(fsdp, trainerTp), new(ep, tp)), null), iter: 15, threads: 1);

    [Theory]
    [InlineData(1, 1, 1, 1)]
    [InlineData(3, 2, 2, 2)]
    [InlineData(8, 1, 4, 1)]
    [InlineData(2, 3, 1, 2)]
    [InlineData(40, 1, 3, 2)]
    public void Every_element_and_scale_of_a_converted_model_arrives_once(int dp, int trainerTp, int ep, int tp) =>
        Play(WeightMeshes<SmallConverted>.Create(new(dp, trainerTp), new(ep, tp)), null);

    /// <summary>A rank knows who gathers from it without working out the plans of all others.</summary>
    [Fact]
    public void Every_rank_knows_who_gathers_from_it() =>
        Gen.Select(Gen.Int[1, 9], Gen.Int[1, 4], Gen.Int[1, 4], Gen.Int[0, 2].Select(power => 1 << power), Gen.Int[-1, 5]).Sample(
            (dp, trainerTp, ep, tp, absent) =>
            {
                WeightMeshes<SmallConverted> meshes;
                WeightSchedule schedule;
                try
                {
                    meshes = WeightMeshes<SmallConverted>.Create(new(dp, trainerTp), new(ep, tp));
                    WeightMembers members = WeightMembers.All(meshes.Trainer, meshes.Inference);
                    schedule = WeightSchedule.Plan(meshes, absent < 0 || absent >= meshes.Trainer.Ranks ? members : members.WithTrainer(absent, false));
                }
                catch (PlanException)
                {
                    // The mesh cuts a block, or nobody else has what the absent rank holds.
                    return;
                }

                var readers = Enumerable.Range(0, meshes.Trainer.Ranks).ToDictionary(static rank => rank, static _ => new SortedSet<int>());
                foreach (int sender in readers.Keys)
                {
                    using WeightSenderPlan plan = schedule.SenderPlan(sender);
                    foreach (WeightTask task in plan.Tasks)
                    {
                        foreach (WeightPiece piece in plan.Gathers(in task).Where(piece => piece.SourceRank != sender))
                            readers[piece.SourceRank].Add(sender);
                    }
                }

                Assert.All(readers, held => Assert.Equal(held.Value, schedule.RanksThatReadFrom(held.Key)));
            },
            iter: 30,
            threads: 1);

    [Fact]
    public void Rows_of_all_lengths_arrive_once() => Play(WeightMeshes<RowLengths>.Create(), null);

    [Fact]
    public void A_rank_with_a_copy_takes_over_from_one_that_left_and_gives_back_when_it_returns()
    {
        WeightMeshes<RowLengths> meshes = WeightMeshes<RowLengths>.Create();
        WeightMembers all = WeightMembers.All(meshes.Trainer, meshes.Inference);
        // Trainer rank 1 has the same shards as rank 5.
        Play(meshes, all.WithTrainer(1, false).WithInference(2, false));
        WeightSchedule without = WeightSchedule.Plan(meshes, all.WithTrainer(1, false));
        Assert.Equal(0, without.BytesSent()[1]);
        Assert.Equal(without.BytesSent()[0] + without.BytesSent()[4], without.BytesSent()[5]);
        WeightSchedule back = WeightSchedule.Plan(meshes, without.Members.WithTrainer(1, true));
        Assert.Equal(WeightSchedule.Plan(meshes).ToBytes(), back.ToBytes());
    }

    [Fact]
    public void Random_ranks_join_and_leave()
    {
        WeightMeshes<SmallConverted> meshes = WeightMeshes<SmallConverted>.Create(new(1, 4), new(4, 2));
        Gen.Select(Gen.Int[0, 7], Gen.Int[0, 7]).Sample(
            (left, alsoLeft) =>
            {
                WeightMembers members = WeightMembers.All(meshes.Trainer, meshes.Inference).WithInference(left, false).WithInference(alsoLeft, false);
                Assert.Equal(left == alsoLeft ? 7 : 6, members.Receivers);
                Play(meshes, members);
            },
            iter: 6, threads: 1);
    }

    [Fact]
    public void A_part_that_only_absent_ranks_hold_is_named()
    {
        WeightMeshes<RowLengths> meshes = WeightMeshes<RowLengths>.Create();
        WeightMembers members = WeightMembers.All(meshes.Trainer, meshes.Inference).WithTrainer(1, false).WithTrainer(5, false);
        PlanException refused = Assert.Throws<PlanException>(() => WeightSchedule.Plan(meshes, members));
        Assert.Contains("short_rows: what trainer rank 1 holds of it no rank of 6 of 8 trainer ranks", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_does_not_suit_is_refused()
    {
        WeightMeshes<RowLengths> meshes = WeightMeshes<RowLengths>.Create();
        Assert.Throws<ArgumentException>(() => WeightSchedule.Plan(meshes, WeightMembers.All(new(2, 4), new(5))));
        Assert.Throws<ArgumentOutOfRangeException>(() => WeightSchedule.Plan(meshes, options: new WeightScheduleOptions { TaskBytes = 65535 }));
        WeightSchedule schedule = WeightSchedule.Plan(meshes);
        Assert.Throws<ArgumentOutOfRangeException>(() => schedule.SenderPlan(8));
        Assert.Throws<ArgumentOutOfRangeException>(() => schedule.Expectations(4));
        WeightSenderPlan plan = schedule.SenderPlan(0);
        plan.Dispose();
        plan.Dispose();
        Assert.Throws<ObjectDisposedException>(() => plan.Handle);
    }

    [Fact]
    public void Tasks_are_no_larger_than_asked_and_go_layer_by_layer()
    {
        WeightMeshes<SmallConverted> meshes = WeightMeshes<SmallConverted>.Create(new(3, 2), new(2, 2));
        WeightSchedule schedule = WeightSchedule.Plan(meshes, options: new WeightScheduleOptions { TaskBytes = WeightScheduleOptions.LeastTaskBytes });
        for (int rank = 0; rank < 6; rank++)
        {
            using WeightSenderPlan plan = schedule.SenderPlan(rank);
            // What has several receivers comes first, and each kind layer by layer.
            (int layer, bool single) = (0, false);
            foreach (ref readonly WeightTask task in plan.Tasks)
            {
                long rows = task.Rows.Count * task.Columns.Count * task.ExpertCount;
                Assert.True(!task.IsConverted || rows <= WeightScheduleOptions.LeastTaskBytes || task.Rows.Count <= 128);
                bool one = plan.SendsOf(in task).Length == 1;
                Assert.True(one || !single);
                layer = one == single ? layer : 0;
                single = one;
                // Of two layers: what is of both or of none comes with the first or the second.
                if (WeightPart.Of<SmallConverted>()[task.Part].Outers == 2 && task.OuterCount == 1)
                {
                    Assert.True(task.FirstOuter >= layer);
                    layer = task.FirstOuter;
                }
            }
        }
    }

    internal static void Play<TMap>(WeightMeshes<TMap> meshes, WeightMembers? members)
        where TMap : unmanaged, IWeightShardMap<TMap>
    {
        WeightSchedule schedule = WeightSchedule.Plan(meshes, members, new WeightScheduleOptions { TaskBytes = WeightScheduleOptions.LeastTaskBytes });
        SchedulePlay<TMap>.Run(schedule, meshes);
        SchedulePlay<TMap>.Run(WeightSchedule.Load(meshes, schedule.ToBytes()), meshes);
    }
}
