using Garden.Testing;
using Garden.Weights;

namespace Garden.Core.Tests.Weights;

/// <summary>Ranks that die, are late, or write something else than they say. Trainer rank 1 stops in the middle of its second update.</summary>
public sealed class WeightFailureTests
{
    private static readonly WeightMesh s_trainers = new(2, 1);
    private static readonly WeightMesh s_receivers = new(2, 2);

    [Fact]
    public async Task H2_an_inference_rank_dies_mid_update_and_the_others_finish()
    {
        (WeightFleet fleet, GatedSource gate) = await CreateAsync();
        await using (fleet)
        {
            await fleet.UpdateAsync(1);
            (Task<WeightVersion>[] receiving, Task<WeightStepReport>[] updates) = Begin(fleet, 2);
            await gate.Reached.WaitAsync(WeightFleet.Limit);
            fleet.Network.KillDevice("inference2");
            gate.Open();
            foreach (WeightStepReport report in await Task.WhenAll(updates).WaitAsync(WeightFleet.Limit))
            {
                WeightRankFailure failure = Assert.Single(report.Failures);
                Assert.Equal((2, "inference2"), (failure.Rank, failure.Name));
                Assert.Contains("inference2", $"{report}", StringComparison.Ordinal);
            }

            foreach (int rank in (int[])[0, 1, 3])
            {
                await receiving[rank].WaitAsync(WeightFleet.Limit);
                Assert.Equal(2, fleet.Receivers[rank].Receiver.Swap().Step);
                fleet.Receivers[rank].Verify(fleet.Receivers[rank].Receiver.Current);
            }

            await Assert.ThrowsAsync<WeightUpdateException>(() => receiving[2].WaitAsync(WeightFleet.Limit));
        }
    }

    [Fact]
    public async Task H2_a_trainer_dies_mid_update_and_receivers_name_it_serve_on_and_take_its_successor()
    {
        (WeightFleet fleet, GatedSource gate) = await CreateAsync();
        await using (fleet)
        {
            await fleet.UpdateAsync(1);
            WeightVersion[] served = [.. fleet.Receivers.Select(receiver => receiver.Receiver.Swap())];
            (Task<WeightVersion>[] receiving, Task<WeightStepReport>[] updates) = Begin(fleet, 2);
            await gate.Reached.WaitAsync(WeightFleet.Limit);
            fleet.Network.KillDevice("trainer1");
            foreach (FleetReceiver receiver in fleet.Receivers)
            {
                int rank = receiver.Receiver.Rank;
                WeightUpdateException failure = await Assert.ThrowsAsync<WeightUpdateException>(() => receiving[rank].WaitAsync(WeightFleet.Limit));
                Assert.Contains("trainer1", failure.Message, StringComparison.Ordinal);
                Assert.Equal(2, failure.Step);
                Assert.Same(served[rank], receiver.Receiver.Current);
                Assert.Null(receiver.Receiver.Pending);
                receiver.Verify(served[rank]);
            }

            gate.Open();
            // The one that lives says who is to blame, whether it missed blocks of the dead one or heard from the receivers.
            Exception? ended = await Record.ExceptionAsync(async () => throw new WeightUpdateException(2, $"{await updates[0].WaitAsync(WeightFleet.Limit)}"));
            Assert.Contains("trainer1", ended!.Message, StringComparison.Ordinal);
            await updates[1].ContinueWith(static _ => { }, TaskScheduler.Default).WaitAsync(WeightFleet.Limit);

            await fleet.Trainers[1].DisposeAsync();
            fleet.Trainers[1] = new FleetTrainer(fleet, 1, "successor");
            await fleet.Trainers[1].ConnectAsync();
            await fleet.Trainers[0].ConnectAsync();
            await fleet.UpdateAsync(3);
            foreach (FleetReceiver receiver in fleet.Receivers)
                receiver.Verify(receiver.Receiver.Swap());
        }
    }

    /// <summary>The late trainer rank hears nothing: only the fence keeps it out.</summary>
    [Fact]
    public async Task L9_a_late_writer_of_one_step_cannot_touch_the_next()
    {
        (WeightFleet fleet, GatedSource gate) = await CreateAsync(TimeSpan.FromSeconds(20));
        await using (fleet)
        {
            await fleet.UpdateAsync(1);
            fleet.Fill(2);
            Task<WeightVersion>[] timedOut = [.. fleet.Receivers.Select(receiver => receiver.Receiver.ReceiveAsync(2, TimeSpan.FromSeconds(3)))];
            Task<WeightStepReport>[] late = [.. fleet.Trainers.Select(trainer => trainer.Sender.UpdateAsync(2, WeightFleet.Limit))];
            await gate.Reached.WaitAsync(WeightFleet.Limit);
            await UntilAsync(() => fleet.Trainers[1].Sender.IsWriting, "all offers of step 2 at the late rank");
            fleet.Network.HoldDeliveries("trainer1");
            foreach (Task<WeightVersion> receiving in timedOut)
            {
                WeightUpdateException failure = await Assert.ThrowsAsync<WeightUpdateException>(() => receiving.WaitAsync(WeightFleet.Limit));
                // It lives and is late: the message says how much of what it owes has come.
                Assert.Contains("trainer rank 1 (trainer1)", failure.Message, StringComparison.Ordinal);
                Assert.IsType<TimeoutException>(failure.InnerException);
            }

            // With no receiver left the punctual one does not wait for its own deadline.
            Assert.Equal(fleet.Receivers.Count, (await late[0].WaitAsync(WeightFleet.Limit)).Failures.Count);
            // All others are at step 3 when the late one goes on with step 2; its memory holds step 3's bytes by then.
            fleet.Fill(3);
            Task<WeightVersion>[] next = [.. fleet.Receivers.Select(receiver => receiver.Receiver.ReceiveAsync(3, WeightFleet.Limit))];
            Task<WeightStepReport> punctual = fleet.Trainers[0].Sender.UpdateAsync(3, WeightFleet.Limit);
            gate.Open();
            await UntilAsync(() => fleet.Trainers[1].Engine.Devices[0].GetStatistics().Sum(static nic => nic.Errors) > 0, "a refusal of what the late rank writes");
            Assert.All(next, receiving => Assert.False(receiving.IsCompleted));
            fleet.Network.ReleaseDeliveries("trainer1");
            Assert.Equal(fleet.Receivers.Count, (await late[1].WaitAsync(WeightFleet.Limit)).Failures.Count);
            Assert.True((await fleet.Trainers[1].Sender.UpdateAsync(3, WeightFleet.Limit)).IsComplete);
            Assert.True((await punctual).IsComplete);
            await Task.WhenAll(next).WaitAsync(WeightFleet.Limit);
            foreach (FleetReceiver receiver in fleet.Receivers)
                receiver.Verify(receiver.Receiver.Swap());
        }
    }

    /// <summary>Nobody gathers here, so that no other fence than the receiver's refuses the late writer, and the memory tells.</summary>
    [Fact]
    public async Task L9_memory_of_a_step_that_failed_is_out_of_a_late_writers_reach()
    {
        var gate = new GatedSource(FleetMap.TensorCount + 9);
        await using WeightFleet fleet = await WeightFleet.CreateAsync(
            new FleetOptions(new(1, 1), new(1, 1)) { Heartbeat = TimeSpan.FromSeconds(20), Source = _ => gate });
        FleetReceiver receiver = fleet.Receivers[0];
        FleetTrainer trainer = fleet.Trainers[0];
        await fleet.UpdateAsync(1);
        int served = receiver.Receiver.Swap().Buffer;
        fleet.Fill(2);
        Task<WeightVersion> timedOut = receiver.Receiver.ReceiveAsync(2, TimeSpan.FromSeconds(2));
        Task<WeightStepReport> late = trainer.Sender.UpdateAsync(2, WeightFleet.Limit);
        await gate.Reached.WaitAsync(WeightFleet.Limit);
        await UntilAsync(() => trainer.Sender.IsWriting, "the offer of step 2");
        fleet.Network.HoldDeliveries("trainer0");
        await Assert.ThrowsAsync<WeightUpdateException>(() => timedOut.WaitAsync(WeightFleet.Limit));
        NativeBuffer offered = receiver.Memory[1 - served];
        offered.Span(0, (int)offered.Length).Fill(0xCD);
        gate.Open();
        await UntilAsync(() => trainer.Engine.Devices[0].GetStatistics().Sum(static nic => nic.Errors) > 0, "a refusal of what the late rank writes");
        fleet.Network.ReleaseDeliveries("trainer0");
        Assert.Single((await late.WaitAsync(WeightFleet.Limit)).Failures);
        Assert.Equal(-1, offered.Span(0, (int)offered.Length).IndexOfAnyExcept((byte)0xCD));
        receiver.Verify(receiver.Receiver.Current);
    }

    [Fact]
    public async Task An_inference_rank_that_offers_nothing_does_not_hold_up_the_others()
    {
        await using WeightFleet fleet = await WeightFleet.CreateAsync(new FleetOptions(new(1, 1), new(1, 2)) { OfferDeadline = TimeSpan.FromMilliseconds(200) });
        fleet.Fill(1);
        Task<WeightVersion> receiving = fleet.Receivers[0].Receiver.ReceiveAsync(1, WeightFleet.Limit);
        WeightStepReport report = await fleet.Trainers[0].Sender.UpdateAsync(1, WeightFleet.Limit);
        WeightRankFailure late = Assert.Single(report.Failures);
        Assert.Equal(1, late.Rank);
        Assert.Contains("did not offer step 1", late.Cause.Message, StringComparison.Ordinal);
        await receiving.WaitAsync(WeightFleet.Limit);
        fleet.Receivers[0].Verify(fleet.Receivers[0].Receiver.Swap());
        Assert.All(await fleet.UpdateAsync(2), next => Assert.True(next.IsComplete));
    }

    [Fact]
    public async Task A_trainer_that_cannot_load_a_tensor_tells_receivers_why_at_once()
    {
        (WeightFleet fleet, GatedSource gate) = await CreateAsync();
        await using (fleet)
        {
            await fleet.UpdateAsync(1);
            (Task<WeightVersion>[] receiving, Task<WeightStepReport>[] updates) = Begin(fleet, 2);
            await gate.Reached.WaitAsync(WeightFleet.Limit);
            gate.Open(new SafetensorsException("model-00007.safetensors", "the file was cut."));
            WeightUpdateException failure = await Assert.ThrowsAsync<WeightUpdateException>(() => updates[1].WaitAsync(WeightFleet.Limit));
            Assert.IsType<SafetensorsException>(failure.InnerException);
            foreach (Task<WeightVersion> task in receiving)
            {
                WeightUpdateException told = await Assert.ThrowsAsync<WeightUpdateException>(() => task.WaitAsync(WeightFleet.Limit));
                // From the rank itself, or from one that lacked its parts of blocks.
                Assert.Contains("model-00007", told.Message, StringComparison.Ordinal);
            }

            await updates[0].ContinueWith(static _ => { }, TaskScheduler.Default).WaitAsync(WeightFleet.Limit);
            // Nobody died: the next step is as good as any.
            await fleet.UpdateAsync(3);
            foreach (FleetReceiver receiver in fleet.Receivers)
                receiver.Verify(receiver.Receiver.Swap());
            // What was fenced cannot be counted any more: no slot stays in quarantine.
            Assert.All(fleet.Receivers.Select(static receiver => receiver.Engine), NoneQuarantined);
            Assert.All(fleet.Trainers.Select(static trainer => trainer.Engine), NoneQuarantined);
        }

        static void NoneQuarantined(TransferEngine engine) => Assert.Equal(0, engine.GetStatistics().CountersQuarantined);
    }

    [Fact]
    public async Task L7_a_byte_that_changed_on_the_way_is_named_by_tensor_ranks_and_range()
    {
        var faults = new ShiftedWrites();
        await using WeightFleet fleet = await WeightFleet.CreateAsync(new FleetOptions(new(1, 1), new(1, 2)) { Verify = true, Wrap = faults.Wrap });
        await fleet.UpdateAsync(1);
        WeightVersion served = fleet.Receivers[1].Receiver.Swap();
        faults.ShiftNext();
        (Task<WeightVersion>[] receiving, Task<WeightStepReport>[] updates) = Begin(fleet, 2);
        WeightStepReport report = await updates[0].WaitAsync(WeightFleet.Limit);
        WeightRankFailure failed = Assert.Single(report.Failures);
        WeightVerificationException failure = await Assert.ThrowsAsync<WeightVerificationException>(() => receiving[failed.Rank].WaitAsync(WeightFleet.Limit));
        await receiving[1 - failed.Rank].WaitAsync(WeightFleet.Limit);
        WeightMismatch mismatch = Assert.Single(failure.Mismatches);
        Assert.Equal((0, failed.Rank), (mismatch.SourceRank, mismatch.DestinationRank));
        Assert.True(WeightTensors<FleetMap>.TryFind(mismatch.Tensor, out _));
        Assert.Contains(mismatch.Tensor, failed.Cause.Message, StringComparison.Ordinal);
        // Compared with the model, the first wrong byte lies in the range that is named.
        NativeBuffer written = fleet.Receivers[failed.Rank].Memory[failed.Rank == 1 ? 1 - served.Buffer : 0];
        var wrong = Assert.Throws<InvalidDataException>(() => FleetWeights.Verify(fleet.Meshes, failed.Rank, 2, written));
        long offset = (long)wrong.Data["offset"]!;
        Assert.InRange(offset, mismatch.First, mismatch.End - 1);
        fleet.Receivers[1].Verify(served);
    }

    private static (Task<WeightVersion>[] Receiving, Task<WeightStepReport>[] Updates) Begin(WeightFleet fleet, long step)
    {
        fleet.Fill(step);
        return (
            [.. fleet.Receivers.Select(receiver => receiver.Receiver.ReceiveAsync(step, WeightFleet.Limit))],
            [.. fleet.Trainers.Select(trainer => trainer.Sender.UpdateAsync(step, WeightFleet.Limit))]);
    }

    private static async Task UntilAsync(Func<bool> condition, string what)
    {
        var deadline = Deadline.In(WeightFleet.Limit);
        while (!condition())
        {
            deadline.Check(() => what);
            await Task.Delay(5);
        }
    }

    /// <summary>A fleet whose trainer rank 1 stops at the tenth tensor of its second update.</summary>
    private static async Task<(WeightFleet Fleet, GatedSource Gate)> CreateAsync(TimeSpan? heartbeat = null)
    {
        int tensors = FleetMap.TensorCount;
        var gate = new GatedSource(tensors + 9);
        return (await WeightFleet.CreateAsync(new FleetOptions(s_trainers, s_receivers) { Heartbeat = heartbeat ?? TimeSpan.FromSeconds(1), Source = rank => rank == 1 ? gate : null }), gate);
    }
}
