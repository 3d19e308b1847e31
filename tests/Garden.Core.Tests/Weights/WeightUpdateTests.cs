using Garden.Weights;

namespace Garden.Core.Tests.Weights;

/// <summary>Whole updates through engines: what a rank must hold is worked out from the model's tensors, one element after the other.</summary>
public sealed class WeightUpdateTests
{
    public static TheoryData<int[], int[], bool, int?> Fleets => new()
    {
        { [1, 1], [1, 1], true, null },
        { [2, 1], [1, 2], true, null },
        { [1, 2], [2, 1], false, 5 },
        { [3, 1], [2, 2], true, 7 },
        { [2, 2], [2, 2], true, 11 },
        { [2, 2], [1, 2], false, null },
    };

    [Theory]
    [MemberData(nameof(Fleets))]
    public async Task Every_rank_has_every_element_of_every_step(int[] trainer, int[] inference, bool verify, int? reorder)
    {
        await using WeightFleet fleet = await WeightFleet.CreateAsync(
            new FleetOptions(new(trainer), new(inference)) { Verify = verify, ReorderSeed = reorder, Assemblers = 2, Nics = reorder is null ? 1 : 2 });
        for (long step = 1; step <= 3; step++)
        {
            WeightStepReport[] reports = await fleet.UpdateAsync(step * 10);
            Assert.All(reports, report => Assert.True(report.IsComplete, $"{report}"));
            foreach (FleetReceiver receiver in fleet.Receivers)
            {
                Assert.Equal(step * 10, receiver.Receiver.Pending!.Step);
                Assert.True(receiver.Verify(receiver.Receiver.Swap()) > 0);
            }
        }

        Assert.Equal(fleet.Schedule.BytesSent().Sum(), fleet.Schedule.BytesReceived().Sum());
    }

    [Fact]
    public void Parts_of_blocks_are_gathered_from_other_ranks()
    {
        WeightMeshes<FleetMap> meshes = WeightMeshes<FleetMap>.Create(new(2, 2), new(1, 2));
        var schedule = WeightSchedule.Plan(meshes);
        // Otherwise the updates above would test no gathering.
        Assert.Contains(Enumerable.Range(0, 4), rank =>
        {
            using WeightSenderPlan plan = schedule.SenderPlan(rank);
            return plan.Tasks.ToArray().Any(task => plan.Gathers(in task).Any(piece => piece.SourceRank != rank));
        });
    }

    [Fact]
    public async Task The_version_before_is_served_until_the_swap_and_caches_are_invalidated_first()
    {
        var calls = new List<(int Rank, long Step, long? Served)>();
        WeightFleet? created = null;
        await using WeightFleet fleet = created = await WeightFleet.CreateAsync(new FleetOptions(new(1, 1), new(1, 1))
        {
            InvalidateCaches = (rank, step) => calls.Add((rank, step, created!.Receivers[rank].Receiver.Current?.Step)),
        });
        FleetReceiver receiver = fleet.Receivers[0];
        Assert.Null(receiver.Receiver.Current);
        Assert.Throws<InvalidOperationException>(receiver.Receiver.Swap);
        await fleet.UpdateAsync(1);
        Assert.Null(receiver.Receiver.Current);
        WeightVersion first = receiver.Receiver.Swap();
        await fleet.UpdateAsync(2);
        Assert.Same(first, receiver.Receiver.Current);
        receiver.Verify(first);
        WeightVersion second = receiver.Receiver.Swap();
        receiver.Verify(second);
        // The first version's memory is whole until the next step is offered.
        receiver.Verify(first);
        Assert.NotEqual(first.Buffer, second.Buffer);
        Assert.Equal([(0, 1, null), (0, 2, 1)], calls);
        // One that was not swapped in is overwritten by the next; the one served is not.
        await fleet.UpdateAsync(3);
        await fleet.UpdateAsync(4);
        receiver.Verify(second);
        Assert.Equal(new WeightVersion(4, first.Buffer), receiver.Receiver.Swap());
        receiver.Verify(receiver.Receiver.Current);
    }

    [Fact]
    public async Task With_one_buffer_addresses_stay_and_nothing_is_served_meanwhile()
    {
        await using WeightFleet fleet = await WeightFleet.CreateAsync(new FleetOptions(new(1, 1), new(1, 1)) { Buffers = 1 });
        WeightReceiver<FleetMap> receiver = fleet.Receivers[0].Receiver;
        await fleet.UpdateAsync(1);
        Assert.Equal(new WeightVersion(1, 0), receiver.Swap());
        fleet.Fill(2);
        Task<WeightVersion> receiving = receiver.ReceiveAsync(2, WeightFleet.Limit);
        Assert.Null(receiver.Current);
        await fleet.Trainers[0].Sender.UpdateAsync(2, WeightFleet.Limit);
        await receiving;
        Assert.Equal(new WeightVersion(2, 0), receiver.Swap());
        fleet.Receivers[0].Verify(receiver.Current);
    }

    [Fact]
    public async Task Stages_report_their_times_and_memory_stays_below_the_watermark()
    {
        await using WeightFleet fleet = await WeightFleet.CreateAsync(
            new FleetOptions(new(2, 1), new(1, 2)) { Verify = true, Watermark = 1 << 20, Source = static rank => new CountingSource() });
        foreach (FleetTrainer trainer in fleet.Trainers)
            Assert.InRange(trainer.Sender.WorkingBytes, 1, 1 << 20);
        foreach (WeightStepReport report in await fleet.UpdateAsync(1))
        {
            Assert.True(report.IsComplete);
            foreach (TimeSpan time in (TimeSpan[])[report.Times.Total, report.Times.Load, report.Times.Assemble, report.Times.Hash, report.Times.Write, report.Times.Barrier])
                Assert.True(time > TimeSpan.Zero);
            Assert.True(report.Times.Write <= report.Times.Total);
        }

        long[] sent = fleet.Schedule.BytesSent();
        WeightStepReport[] reports = await fleet.UpdateAsync(2);
        Assert.Equal(sent, reports.Select(report => report.Times.BytesWritten));
    }

    /// <summary>One trainer rank, which waits for no other, with two slots, and writes that read theirs long after the next tasks could have been assembled.</summary>
    [Fact]
    public async Task Slots_are_not_used_again_before_their_writes_have_ended()
    {
        await using WeightFleet fleet = await WeightFleet.CreateAsync(
            new FleetOptions(new(1, 1), new(1, 2)) { Watermark = 500_000, Delay = TimeSpan.FromMilliseconds(20), Assemblers = 2 });
        Assert.InRange(fleet.Trainers[0].Sender.WorkingBytes, 1, 500_000);
        Assert.All(await fleet.UpdateAsync(1), static report => Assert.True(report.IsComplete, $"{report}"));
        foreach (FleetReceiver receiver in fleet.Receivers)
            Assert.True(receiver.Verify(receiver.Receiver.Swap()) > 0);
    }

    [Fact]
    public async Task What_does_not_fit_is_refused_before_anything_moves()
    {
        await using WeightFleet fleet = await WeightFleet.CreateAsync(new FleetOptions(new(1, 1), new(1, 1)));
        TransferEngine engine = fleet.Trainers[0].Engine;
        using var small = new NativeBuffer(4096);
        await using MemoryRegion region = engine.Register(small);
        Assert.Throws<ArgumentOutOfRangeException>(() => new WeightSender<FleetMap>(engine, fleet.Schedule, 0, new WeightSenderOptions { Tensors = region }));
        MemoryRegion tensors = engine.Register(fleet.Trainers[0].Memory);
        ArgumentOutOfRangeException watermark = Assert.Throws<ArgumentOutOfRangeException>(
            () => new WeightSender<FleetMap>(engine, fleet.Schedule, 0, new WeightSenderOptions { Tensors = tensors, Watermark = 1000, Channel = 77 }));
        Assert.Contains("two of them need a watermark of", watermark.Message, StringComparison.Ordinal);
        Assert.Throws<PlanException>(() => new WeightSender<OtherMap>(engine, fleet.Schedule, 0, new WeightSenderOptions { Tensors = tensors, Channel = 77 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new WeightReceiver<FleetMap>(engine, fleet.Schedule, 0, new WeightReceiverOptions { Buffers = [region], Channel = 77 }));
        Assert.Throws<ArgumentException>(() => new WeightReceiver<FleetMap>(engine, fleet.Schedule, 0, new WeightReceiverOptions { Buffers = [], Channel = 77 }));
        await fleet.UpdateAsync(5);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => fleet.Trainers[0].Sender.UpdateAsync(5, WeightFleet.Limit));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => fleet.Receivers[0].Receiver.ReceiveAsync(4, WeightFleet.Limit));
    }

    [Fact]
    public async Task Ranks_with_other_schedules_refuse_each_other()
    {
        await using WeightFleet fleet = await WeightFleet.CreateAsync(new FleetOptions(new(1, 1), new(1, 1)));
        await using TransferEngine engine = fleet.Build("stranger");
        await using MemoryRegion tensors = engine.Register(fleet.Trainers[0].Memory);
        Peer peer = await engine.ConnectAsync(fleet.Receivers[0].Engine.Address, WeightFleet.Limit);
        await RefusedAsync(WeightSchedule.Plan(fleet.Meshes, options: new WeightScheduleOptions { TaskBytes = 1 << 20 }), false, 0, "schedule");
        await RefusedAsync(fleet.Schedule, true, 0, "hashes");
        await RefusedAsync(fleet.Schedule, false, 1, "it takes inference rank 0 for rank 1");

        async Task RefusedAsync(WeightSchedule schedule, bool verify, int rank, string reason)
        {
            await using var sender = new WeightSender<FleetMap>(engine, schedule, 0, new WeightSenderOptions { Tensors = tensors, Verify = verify });
            WeightUpdateException refusal = await Assert.ThrowsAsync<WeightUpdateException>(() => sender.ConnectReceiverAsync(rank, peer, WeightFleet.Limit));
            Assert.Contains(reason, refusal.Message, StringComparison.Ordinal);
        }
    }

    /// <summary>The tensors are there already; loading them takes some time all the same.</summary>
    private sealed class CountingSource : IWeightSource
    {
        public ValueTask LoadAsync(int tensor, WeightHolding holding, nint memory, CancellationToken cancellationToken) => ValueTask.CompletedTask;
    }
}
