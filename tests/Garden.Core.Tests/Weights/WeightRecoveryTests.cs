using Garden.Testing;
using Garden.Weights;

namespace Garden.Core.Tests.Weights;

/// <summary>What a step that failed, or one that another thread disturbs, leaves for the next one.</summary>
public sealed class WeightRecoveryTests
{
    [Fact]
    public async Task A_step_that_begins_during_a_swap_does_not_overwrite_what_is_swapped_in()
    {
        WeightFleet? created = null;
        Task<WeightVersion>? receiving = null;
        await using WeightFleet fleet = created = await WeightFleet.CreateAsync(new FleetOptions(new(1, 1), new(1, 1))
        {
            InvalidateCaches = (_, step) => receiving = step == 2 ? created!.Receivers[0].Receiver.ReceiveAsync(3, WeightFleet.Limit) : null,
        });
        FleetReceiver receiver = fleet.Receivers[0];
        await fleet.UpdateAsync(1);
        receiver.Receiver.Swap();
        await fleet.UpdateAsync(2);
        WeightVersion second = receiver.Receiver.Swap();
        fleet.Fill(3);
        await fleet.Trainers[0].Sender.UpdateAsync(3, WeightFleet.Limit);
        WeightVersion third = await receiving!;
        Assert.NotEqual(second.Buffer, third.Buffer);
        Assert.Same(second, receiver.Receiver.Current);
        receiver.Verify(second);
        Assert.Same(third, receiver.Receiver.Pending);
        receiver.Verify(third);
    }

    [Fact]
    public async Task A_swap_whose_callback_throws_can_be_repeated()
    {
        bool fails = true;
        await using WeightFleet fleet = await WeightFleet.CreateAsync(new FleetOptions(new(1, 1), new(1, 1))
        {
            InvalidateCaches = (_, _) => _ = fails ? throw new InvalidDataException() : 0,
        });
        await fleet.UpdateAsync(1);
        Assert.Throws<InvalidDataException>(fleet.Receivers[0].Receiver.Swap);
        Assert.Null(fleet.Receivers[0].Receiver.Current);
        fails = false;
        Assert.Equal(1, fleet.Receivers[0].Receiver.Swap().Step);
    }

    /// <summary>The region cannot be renewed while it is the source of a transfer that does not end.</summary>
    [Fact]
    public async Task L9_memory_that_could_not_be_fenced_is_not_offered_before_it_is()
    {
        var watched = new WatchedMessages();
        await using WeightFleet fleet = await WeightFleet.CreateAsync(
            new FleetOptions(new(1, 1), new(1, 1)) { Wrap = watched.Wrap, Buffers = 1, DrainDeadline = TimeSpan.FromMilliseconds(500), Heartbeat = TimeSpan.FromSeconds(30) });
        await fleet.UpdateAsync(1);
        await using TransferEngine sink = fleet.Build("sink");
        using var sunk = new NativeBuffer(4096);
        MemoryRegion destination = sink.Register(sunk);
        FleetReceiver receiver = fleet.Receivers[0];
        Peer peer = await receiver.Engine.ConnectAsync(sink.Address, WeightFleet.Limit);
        fleet.Network.HoldDeliveries("sink");
        Transfer stuck = receiver.Engine.SubmitSingleWrite(receiver.Regions[0], 0, peer.Import(destination.Export()), 0, 4096, default, new SubmitOptions { Deadline = WeightFleet.Limit });

        WeightUpdateException unfenced = await Assert.ThrowsAsync<WeightUpdateException>(() => receiver.Receiver.ReceiveAsync(2, TimeSpan.FromMilliseconds(100)));
        Assert.Contains("could not be fenced", unfenced.Message, StringComparison.Ordinal);
        // The trainer is told all the same, and does not wait for its deadline.
        WeightRankFailure told = Assert.Single((await fleet.Trainers[0].Sender.UpdateAsync(2, WeightFleet.Limit).WaitAsync(WeightFleet.Limit / 2)).Failures);
        Assert.Contains("inference0", told.Cause.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<WeightUpdateException>(() => receiver.Receiver.ReceiveAsync(3, WeightFleet.Limit));
        Assert.Equal((1, 0), (watched.Count("inference0", WeightMessageKind.Offer, 2), watched.Count("inference0", WeightMessageKind.Offer, 3)));

        uint generation = receiver.Regions[0].Generation;
        fleet.Network.ReleaseDeliveries("sink");
        await stuck;
        await fleet.UpdateAsync(4);
        Assert.Equal(generation + 1, receiver.Regions[0].Generation);
        receiver.Verify(receiver.Receiver.Swap());
    }

    [Fact]
    public async Task L8_staging_memory_that_did_not_drain_is_used_again_once_it_has()
    {
        await using WeightFleet fleet = await WeightFleet.CreateAsync(
            new FleetOptions(new(1, 1), new(1, 2)) { Watermark = 1 << 20, DrainDeadline = TimeSpan.FromSeconds(1), Heartbeat = TimeSpan.FromSeconds(30) });
        await fleet.UpdateAsync(1);
        for (long step = 2; step < 6; step += 2)
        {
            fleet.Network.HoldDeliveries("inference1");
            fleet.Fill(step);
            Task<WeightVersion>[] receiving = [.. fleet.Receivers.Select(receiver => receiver.Receiver.ReceiveAsync(step, TimeSpan.FromSeconds(2)))];
            Assert.False((await fleet.Trainers[0].Sender.UpdateAsync(step, TimeSpan.FromSeconds(1))).IsComplete);
            await Task.WhenAll(receiving).ContinueWith(static _ => { }, TaskScheduler.Default);
            Assert.True(receiving[1].IsFaulted);
            fleet.Network.ReleaseDeliveries("inference1");
            Assert.All(await fleet.UpdateAsync(step + 1), static report => Assert.True(report.IsComplete, $"{report}"));
            foreach (FleetReceiver receiver in fleet.Receivers)
                receiver.Verify(receiver.Receiver.Swap());
        }
    }

    [Fact]
    public async Task An_offer_that_nobody_takes_is_answered()
    {
        await using WeightFleet fleet = await WeightFleet.CreateAsync(new FleetOptions(new(1, 1), new(1, 2)) { OfferDeadline = TimeSpan.FromMilliseconds(200) });
        fleet.Fill(1);
        Task<WeightVersion> receiving = fleet.Receivers[0].Receiver.ReceiveAsync(1, WeightFleet.Limit);
        Assert.Single((await fleet.Trainers[0].Sender.UpdateAsync(1, WeightFleet.Limit)).Failures);
        await receiving;
        // This one comes after all is over.
        WeightUpdateException late = await Assert.ThrowsAsync<WeightUpdateException>(() => fleet.Receivers[1].Receiver.ReceiveAsync(1, WeightFleet.Limit).WaitAsync(WeightFleet.Limit / 2));
        Assert.Contains("trainer rank 0 (trainer0)", late.Message, StringComparison.Ordinal);
        Assert.Contains("it is past step 1", late.Message, StringComparison.Ordinal);
        Assert.All(await fleet.UpdateAsync(2), static next => Assert.True(next.IsComplete));
        Assert.Equal(0, fleet.Receivers[1].Engine.GetStatistics().CountersQuarantined);
    }

    [Fact]
    public async Task A_source_that_does_not_heed_its_token_holds_up_no_step_and_is_not_run_twice()
    {
        var gate = new GatedSource(0);
        await using WeightFleet fleet = await WeightFleet.CreateAsync(
            new FleetOptions(new(1, 1), new(1, 1)) { Source = _ => gate, DrainDeadline = TimeSpan.FromMilliseconds(200) });
        fleet.Fill(1);
        Task<WeightVersion> receiving = fleet.Receivers[0].Receiver.ReceiveAsync(1, WeightFleet.Limit);
        Assert.False((await fleet.Trainers[0].Sender.UpdateAsync(1, TimeSpan.FromMilliseconds(500)).WaitAsync(WeightFleet.Limit / 2)).IsComplete);
        await Assert.ThrowsAsync<WeightUpdateException>(() => receiving.WaitAsync(WeightFleet.Limit / 2));
        InvalidOperationException busy = await Assert.ThrowsAsync<InvalidOperationException>(() => fleet.Trainers[0].Sender.UpdateAsync(2, WeightFleet.Limit));
        Assert.Contains("must heed its token", busy.Message, StringComparison.Ordinal);
        gate.Open();
        var deadline = Deadline.In(WeightFleet.Limit);
        while (await Record.ExceptionAsync(() => fleet.UpdateAsync(3)) is InvalidOperationException)
            deadline.Check(static () => "the source's end");
        fleet.Receivers[0].Verify(fleet.Receivers[0].Receiver.Swap());
    }

    [Fact]
    public async Task H3_a_verification_can_be_cancelled()
    {
        using var device = new GatedDevice();
        await using WeightFleet fleet = await WeightFleet.CreateAsync(new FleetOptions(new(1, 1), new(1, 1)) { Verify = true, Device = device });
        fleet.Fill(1);
        using var cancellation = new CancellationTokenSource();
        Task<WeightVersion> receiving = fleet.Receivers[0].Receiver.ReceiveAsync(1, WeightFleet.Limit, cancellation.Token);
        Task<WeightStepReport> update = fleet.Trainers[0].Sender.UpdateAsync(1, WeightFleet.Limit);
        await device.Reached.WaitAsync(WeightFleet.Limit);
        await cancellation.CancelAsync();
        device.Open();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => receiving);
        Assert.Single((await update).Failures);
        await fleet.UpdateAsync(2);
        fleet.Receivers[0].Verify(fleet.Receivers[0].Receiver.Swap());
        Assert.Equal(0, fleet.Receivers[0].Engine.GetStatistics().CountersQuarantined);
    }

    [Fact]
    public async Task Ranks_that_cannot_be_told_apart_are_refused()
    {
        await using WeightFleet fleet = await WeightFleet.CreateAsync(new FleetOptions(new(2, 1), new(1, 2)));
        FleetTrainer trainer = fleet.Trainers[0];
        Peer peer = await trainer.Engine.ConnectAsync(fleet.Receivers[0].Engine.Address, WeightFleet.Limit);
        await trainer.Sender.ConnectReceiverAsync(0, peer, WeightFleet.Limit);
        await trainer.Sender.ConnectReceiverAsync(0, peer, WeightFleet.Limit);
        Assert.Contains("is connected as inference rank 0", (await Assert.ThrowsAsync<ArgumentException>(() => trainer.Sender.ConnectReceiverAsync(1, peer, WeightFleet.Limit))).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>(() => trainer.Sender.ConnectTrainerAsync(1, peer, WeightFleet.Limit));

        await using TransferEngine stranger = fleet.Build("stranger");
        await using var twin = new WeightSender<FleetMap>(stranger, fleet.Schedule, 0, new WeightSenderOptions { Tensors = stranger.Register(trainer.Memory) });
        peer = await stranger.ConnectAsync(fleet.Receivers[0].Engine.Address, WeightFleet.Limit);
        WeightUpdateException refused = await Assert.ThrowsAsync<WeightUpdateException>(() => twin.ConnectReceiverAsync(0, peer, WeightFleet.Limit));
        Assert.Contains("trainer rank 0 is connected from", refused.Message, StringComparison.Ordinal);
        Assert.All(await fleet.UpdateAsync(1), static report => Assert.True(report.IsComplete));

        var terms = new WeightTerms(1, 2, true);
        var hello = new WeightHello(WeightMessageHeader.CurrentVersion, 2, 0, terms, "two");
        Assert.Contains("the mesh has 2", hello.Refusal("inference", 0, in terms, 2, peer, null), StringComparison.Ordinal);
        Assert.Null((hello with { Rank = 1 }).Refusal("inference", 0, in terms, 2, peer, null));
    }

    [Fact]
    public async Task T1_what_a_constructor_took_before_it_threw_is_given_back()
    {
        await using WeightFleet fleet = await WeightFleet.CreateAsync(new FleetOptions(new(1, 1), new(1, 1)) { Verify = true });
        FleetReceiver receiver = fleet.Receivers[0];
        int regions = receiver.Engine.GetStatistics().Regions;
        // The channel is taken.
        Assert.Throws<InvalidOperationException>(() => new WeightReceiver<FleetMap>(receiver.Engine, fleet.Schedule, 0, new WeightReceiverOptions { Buffers = receiver.Regions, Verify = true }));
        var deadline = Deadline.In(WeightFleet.Limit);
        while (receiver.Engine.GetStatistics().Regions != regions)
        {
            deadline.Check(() => $"{receiver.Engine.GetStatistics().Regions} regions, {regions} before");
            await Task.Delay(5);
        }
    }

    [Fact]
    public async Task Buffers_that_overlap_are_refused()
    {
        await using WeightFleet fleet = await WeightFleet.CreateAsync(new FleetOptions(new(1, 1), new(1, 1)));
        TransferEngine engine = fleet.Receivers[0].Engine;
        long bytes = fleet.Meshes.InferenceBytes;
        using var memory = new NativeBuffer(2 * bytes);
        MemoryRegion first = engine.Register(memory), second = Part(bytes), both = Part(bytes - 256);
        Assert.Contains("overlap", Assert.Throws<ArgumentException>(() => Receiver(first, first)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Receiver(first, both));
        await Receiver(first, second).DisposeAsync();

        unsafe MemoryRegion Part(long offset) => engine.Register((nint)memory.Pointer + (nint)offset, bytes);

        WeightReceiver<FleetMap> Receiver(MemoryRegion one, MemoryRegion other) =>
            new(engine, fleet.Schedule, 0, new WeightReceiverOptions { Buffers = [one, other], Channel = 77 });
    }
}
