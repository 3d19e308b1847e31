using Garden.Fabric;
using Garden.Fabric.Loopback;

namespace Garden.Core.Tests.Engine;

public sealed class FailureTests
{
    [Fact]
    public async Task L8_ACancelledTransferEndsOnlyWhenWhatIsPostedHasDrained()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        pair.Fill(1);
        pair.Network.HoldDeliveries("receiver");
        Transfer transfer = pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 1000);
        await Wait.UntilAsync(() => pair.Sender.Devices[0].GetStatistics()[0].InFlight == 1, "the write in flight");
        Task<TransferResult> ended = transfer.AsValueTask().AsTask();
        transfer.Cancel();
        // The cancellation is processed in ring order: a later transfer that fails at once proves that it was seen.
        await pair.Sender.SubmitPagedWrites(pair.Source, new PageSpan([], 1), pair.Destination, new PageSpan([], 1), 1).Ended();
        Assert.False(ended.IsCompleted);
        pair.Network.ReleaseDeliveries("receiver");
        TransferCanceledException cancelled = await Assert.ThrowsAsync<TransferCanceledException>(() => ended.WaitAsync(EnginePair.Limit));
        Assert.Equal(1000, cancelled.Partial.Bytes);
        pair.AssertMoved(0, 0, 1000);
    }

    [Fact]
    public async Task L8_AWriteThatDoesNotDrainInTimeIsLeakedAndSaidSo()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(configure: options => options.DrainDeadline = TimeSpan.FromMilliseconds(100));
        pair.Network.HoldDeliveries("receiver");
        Transfer transfer = pair.Sender.SubmitSingleWrite(
            pair.Source, 0, pair.Destination, 0, 1000, default, new SubmitOptions { Deadline = TimeSpan.FromMilliseconds(50) });
        TransferNotDrainedException leak = await Assert.ThrowsAsync<TransferNotDrainedException>(() => transfer.Ended());
        Assert.Contains("1 posted writes", leak.Message, StringComparison.Ordinal);
        Assert.Equal(1, pair.Sender.GetStatistics().WritesLeaked);
        // The source stays leased: its region cannot be unregistered while the write may still be read.
        await Assert.ThrowsAsync<TimeoutException>(() => pair.Source.UnregisterAsync(TimeSpan.FromMilliseconds(50)).AsTask());
        pair.Network.ReleaseDeliveries("receiver");
        await pair.Source.UnregisterAsync(EnginePair.Limit);
    }

    [Fact]
    public async Task H3_ATransferThatMissesItsDeadlineDrainsAndSaysSo()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(new LoopbackOptions { Name = "", BandwidthBytesPerSecond = 1_000_000, QueueDepth = 16 });
        int[] pages = [.. Enumerable.Range(0, 1000)];
        new Random(4).Shuffle(pages);
        Transfer transfer = pair.Sender.SubmitPagedWrites(
            pair.Source, new PageSpan(pages, 1024), pair.Destination, new PageSpan([.. pages.Reverse()], 1024), 1000, default, new SubmitOptions { Deadline = TimeSpan.FromMilliseconds(60) });
        TimeoutException timeout = await Assert.ThrowsAsync<TimeoutException>(() => transfer.Ended());
        Assert.Contains("missed its deadline", timeout.Message, StringComparison.Ordinal);
        Assert.Equal(0, pair.Sender.GetStatistics().TransfersActive);
    }

    [Fact]
    public async Task H5_AFailedTransferPoisonsTheCounterItsReceiverWaitsFor()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        Task<long> wait = counter.Reaches(1);
        await pair.DestinationRegion.RenewAsync(EnginePair.Limit);
        // The sender still has the old descriptor: the fabric refuses the write, and the receiver hears of it.
        await Assert.ThrowsAsync<FabricException>(() => pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 64, counter.Immediate).Ended());
        await Assert.ThrowsAsync<TransferAbortedException>(() => wait);
        Assert.IsType<TransferAbortedException>(counter.Poison);
    }

    [Fact]
    public async Task H5_EveryReceiverOfAFailedScatterHearsOfIt()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        await using TransferEngine third = EnginePair.Build(pair.Network, new LoopbackOptions { Name = "third" });
        using var buffer = new NativeBuffer(4096);
        MemoryRegion region = third.Register(buffer);
        Peer peer = await pair.Sender.ConnectAsync(third.Address, EnginePair.Limit);
        RemoteRegion remote = peer.Import(region.Export());
        await pair.DestinationRegion.RenewAsync(EnginePair.Limit);
        using ImmCounter here = pair.Receiver.AllocateCounter();
        using ImmCounter there = third.AllocateCounter();
        Task<long> first = here.Reaches(1), second = there.Reaches(2);
        await Assert.ThrowsAsync<FabricException>(() => pair.Sender.SubmitScatter(
            pair.Source,
            [new ScatterTarget(pair.Destination.Handle, here.Immediate, 0, 0, 8), new ScatterTarget(remote.Handle, there.Immediate, 0, 0, 8)]).Ended());
        await Assert.ThrowsAsync<TransferAbortedException>(() => first);
        await Assert.ThrowsAsync<TransferAbortedException>(() => second);
    }

    [Fact]
    public async Task L1_ACutWriteThatWaitsForCreditsLosesNothing()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(
            new LoopbackOptions { Name = "", QueueDepth = 16, MaxWriteLength = 1 << 16, Delay = TimeSpan.FromMilliseconds(1) }, bytes: 6 << 20);
        pair.Fill(10);
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        long length = (5 << 20) + 77;
        TransferResult result = await pair.Sender.SubmitSingleWrite(pair.Source, 3, pair.Destination, 9, length, counter.Immediate).Ended();
        await counter.Reaches(TransferUnits.OfRun(length));
        Assert.Equal(length, result.Bytes);
        pair.AssertMoved(3, 9, length);
    }

    [Fact]
    public async Task L1_AShareThatWaitsForCreditsDoesNotLoseTheSharesBehindIt()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(
            new LoopbackOptions { Name = "", Nics = 2, QueueDepth = 16, MaxWriteLength = 1 << 16, Delay = TimeSpan.FromMilliseconds(1) },
            new LoopbackOptions { Name = "", Nics = 2 },
            bytes: 6 << 20);
        pair.Fill(11);
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        // The first of the two shares has more pieces than both lanes have credits.
        long length = (5 << 20) + 77;
        TransferResult result = await pair.Sender.SubmitSingleWrite(pair.Source, 3, pair.Destination, 9, length, counter.Immediate).Ended();
        Assert.Equal(length, result.Bytes);
        await counter.Reaches(TransferUnits.OfRun(length));
        pair.AssertMoved(3, 9, length);
    }

    [Fact]
    public async Task H3_ADeadlineHoldsAlsoForATransferBehindAStalledOne()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(new LoopbackOptions { Name = "", QueueDepth = 16 });
        pair.Network.HoldDeliveries("receiver");
        int[] pages = [.. Enumerable.Range(0, 500)];
        Transfer stalled = pair.Sender.SubmitPagedWrites(pair.Source, new PageSpan(pages, 200), pair.Destination, new PageSpan(pages, 300), 100);
        Transfer behind = pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 8, default, new SubmitOptions { Deadline = TimeSpan.FromMilliseconds(50) });
        await Assert.ThrowsAsync<TimeoutException>(() => behind.Ended());
        Assert.False(stalled.IsCompleted);
        pair.Network.ReleaseDeliveries("receiver");
        await stalled.Ended();
        await Wait.UntilAsync(() => pair.Sender.GetStatistics().TransfersActive == 0, "the tombstone is gone");
    }

    [Fact]
    public async Task UnregisteringDoesNotWaitForOtherRegionsTraffic()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        // The mask of source regions has 12 bits: the region registered 12 places on shares the first one's bit.
        var regions = new List<MemoryRegion>();
        while (regions.Count == 0 || (regions[^1].Handle.Index % 12) != (pair.Source.Handle.Index % 12))
            regions.Add(pair.Sender.Register(pair.SourceBuffer));
        using var stop = new CancellationTokenSource();
        Task traffic = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
                await pair.Sender.SubmitSingleWrite(regions[^1], 0, pair.Destination, 0, 4096);
        });
        await pair.Source.UnregisterAsync(EnginePair.Limit);
        await stop.CancelAsync();
        await traffic.WaitAsync(EnginePair.Limit);
    }

    [Fact]
    public async Task H6_BackPressureIsNotAnErrorAndLeaksNothing()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(
            new LoopbackOptions { Name = "", Nics = 2, QueueDepth = 2, ReorderSeed = 3 },
            new LoopbackOptions { Name = "", ReceiveQueueDepth = 4 });
        pair.Fill(6);
        int[] pages = [.. Enumerable.Range(0, 900)];
        new Random(6).Shuffle(pages);
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        var transfers = new List<Task<TransferResult>>();
        for (int i = 0; i < 9; i++)
        {
            ReadOnlySpan<int> part = pages.AsSpan(i * 100, 100);
            transfers.Add(pair.Sender.SubmitPagedWrites(pair.Source, new PageSpan(part, 1024), pair.Destination, new PageSpan(part, 1024), 1024, counter.Immediate).Ended());
        }

        await Task.WhenAll(transfers);
        await counter.Reaches(900);
        pair.AssertMoved(0, 0, 900 * 1024);
        EngineStatistics statistics = pair.Sender.GetStatistics();
        Assert.Equal((0, 0L), (statistics.TransfersActive, statistics.TransfersOutstanding));
    }

    [Fact]
    public async Task H6_WhatANicRefusesAlthoughItsWritesHaveCompletedIsPostedLater()
    {
        // Local completions free the credits before the places: the NIC itself says no.
        await using EnginePair pair = await EnginePair.CreateAsync(
            new LoopbackOptions { Name = "", QueueDepth = 4, Completion = FabricCompletionLevel.LocalOnly }, new LoopbackOptions { Name = "" });
        pair.Fill(7);
        pair.Network.HoldDeliveries("receiver");
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        int[] pages = [.. Enumerable.Range(0, 100)];
        new Random(7).Shuffle(pages);
        Task<TransferResult> transfer = pair.Sender.SubmitPagedWrites(
            pair.Source, new PageSpan(pages, 1024), pair.Destination, new PageSpan(pages, 1024), 1024, counter.Immediate).Ended();
        await Wait.UntilAsync(() => pair.Sender.Devices[0].GetStatistics()[0].BackPressure > 0, "the NIC refuses writes");
        Assert.False(transfer.IsCompleted);
        pair.Network.ReleaseDeliveries("receiver");
        await transfer;
        await counter.Reaches(100);
        pair.AssertMoved(0, 0, 100 * 1024);
    }

    [Fact]
    public async Task H6_MessagesThatANicRefusesWaitAndKeepTheirOrder()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(new LoopbackOptions { Name = "", QueueDepth = 4 });
        using ReceiveQueue queue = pair.Receiver.OpenReceiveQueue(9);
        pair.Network.HoldDeliveries("receiver");
        Task[] sent = [.. Enumerable.Range(0, 30).Select(i => pair.Sender.SendAsync(pair.Peer, 9, new[] { (byte)i }).AsTask())];
        pair.Network.ReleaseDeliveries("receiver");
        for (int i = 0; i < sent.Length; i++)
        {
            using ReceivedMessage message = await queue.ReceiveAsync(EnginePair.Limit);
            Assert.Equal(i, message.Bytes[0]);
        }

        await Task.WhenAll(sent).WaitAsync(EnginePair.Limit);
    }

    [Fact]
    public async Task H2_AKilledPeerEndsItsOperationsWithItsNameAndComesBackWithANewEpoch()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(configure: options => options.HeartbeatInterval = TimeSpan.FromMilliseconds(60));
        await using TransferEngine third = EnginePair.Build(pair.Network, new LoopbackOptions { Name = "third" });
        Peer other = await pair.Sender.ConnectAsync(third.Address, EnginePair.Limit);
        using ImmCounter counter = pair.Sender.AllocateCounter();
        Task<long> wait = counter.Reaches(1, pair.Peer);
        pair.Network.KillDevice("receiver");
        PeerFailedException failure = await Assert.ThrowsAsync<PeerFailedException>(() => wait);
        Assert.Contains("receiver", failure.Message, StringComparison.Ordinal);
        Assert.Equal(PeerState.Failed, pair.Peer.State);
        Assert.Throws<PeerFailedException>(() => pair.Sender.SubmitImmediate(pair.Peer, Immediate.FromNumber(1)));
        Assert.Throws<PlanException>(() => pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 8));
        await pair.Sender.SubmitImmediate(other, Immediate.FromNumber(1)).Ended();

        await pair.Receiver.DisposeAsync();
        await using TransferEngine again = EnginePair.Build(pair.Network, new LoopbackOptions { Name = "receiver" });
        Peer revived = await pair.Sender.ConnectAsync(again.Address, EnginePair.Limit);
        Assert.Equal(2, revived.Epoch);
        await pair.Sender.SubmitImmediate(revived, Immediate.FromNumber(1)).Ended();
        // L9: what the first life exported is refused by name, whatever memory is there now.
        DescriptorException stale = Assert.Throws<DescriptorException>(() => revived.Import(pair.Destination.Descriptor));
        Assert.Contains("restarted", stale.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task L9_StaleDescriptorsAndHandlesAreRefused()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        MemoryRegionDescriptor before = pair.DestinationRegion.Export();
        RegionHandle sourceHandle = pair.Source.Handle;
        await pair.Source.RenewAsync(EnginePair.Limit);
        await pair.DestinationRegion.RenewAsync(EnginePair.Limit);
        Assert.Equal(before.Generation + 1, pair.DestinationRegion.Export().Generation);
        PlanException stale = Assert.Throws<PlanException>(() => pair.Sender.Submit(new SingleWrite(sourceHandle, 0, pair.Destination.Handle, 0, 8, default)));
        Assert.Contains("names no live source region", stale.Message, StringComparison.Ordinal);
        pair.Fill(3);
        FabricException refused = await Assert.ThrowsAsync<FabricException>(() => pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 64).Ended());
        Assert.Contains("ask it for a new descriptor", refused.Message, StringComparison.Ordinal);
        Assert.False(pair.DestinationBuffer.Span(0, 64).ContainsAnyExcept((byte)0xCD));
        RemoteRegion renewed = pair.Peer.Import(pair.DestinationRegion.Export());
        await pair.Sender.SubmitSingleWrite(pair.Source, 0, renewed, 0, 64).Ended();
        pair.AssertMoved(0, 0, 64);
    }

    [Fact]
    public async Task L11_ARegionIsAnIdentityNotAnAddress()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        RegionHandle old = pair.Source.Handle;
        await pair.Source.UnregisterAsync(EnginePair.Limit);
        // The same memory, registered again: the old handle stays dead although every byte is where it was.
        MemoryRegion again = pair.Sender.Register(pair.SourceBuffer);
        Assert.NotEqual(old, again.Handle);
        Assert.Throws<PlanException>(() => pair.Sender.Submit(new SingleWrite(old, 0, pair.Destination.Handle, 0, 8, default)));
        await pair.Sender.SubmitSingleWrite(again, 0, pair.Destination, 0, 8).Ended();
        Assert.Throws<ObjectDisposedException>(() => pair.Source.Export());
    }

    [Fact]
    public async Task H10_ASlowPeerDoesNotKeepTheOthersWaiting()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        await using TransferEngine third = EnginePair.Build(pair.Network, new LoopbackOptions { Name = "third" });
        Peer other = await pair.Sender.ConnectAsync(third.Address, EnginePair.Limit);
        using ReceiveQueue queue = third.OpenReceiveQueue(9);
        pair.Network.HoldDeliveries("receiver");
        int[] pages = [.. Enumerable.Range(0, 4000)];
        Transfer[] slow = [.. Enumerable.Range(0, 8).Select(_ => pair.Sender.SubmitPagedWrites(
            pair.Source, new PageSpan(pages, 200), pair.Destination, new PageSpan(pages, 201), 100))];
        for (uint i = 0; i < 500; i++)
            await pair.Sender.SubmitImmediate(other, Immediate.FromNumber(3)).Ended();
        // The control queue is not behind the bulk either.
        await pair.Sender.SendAsync(other, 9, new byte[] { 42 });
        using ReceivedMessage message = await queue.ReceiveAsync(EnginePair.Limit);
        Assert.Equal(42, message.Bytes[0]);
        Assert.All(slow, transfer => Assert.False(transfer.IsCompleted));
        pair.Network.ReleaseDeliveries("receiver");
        foreach (Transfer transfer in slow)
            await transfer.Ended();
    }

    [Fact]
    public async Task AFailedNicsUnpostedWorkMovesAndCountsStayRight()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(new LoopbackOptions { Name = "", Nics = 2, QueueDepth = 16, BandwidthBytesPerSecond = 20_000_000 }, new LoopbackOptions { Name = "", Nics = 2 });
        pair.Fill(8);
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        int[] pages = [.. Enumerable.Range(0, 1000)];
        new Random(1).Shuffle(pages);
        var transfers = new List<Task<TransferResult>>();
        for (int i = 0; i < 50; i++)
        {
            ReadOnlySpan<int> part = pages.AsSpan(i * 20, 20);
            transfers.Add(pair.Sender.SubmitPagedWrites(pair.Source, new PageSpan(part, 1024), pair.Destination, new PageSpan(part, 1024), 1024, counter.Immediate).Ended());
        }

        await Wait.UntilAsync(() => pair.Sender.GetStatistics().TransfersCompleted >= 5, "some progress");
        pair.Network.FailNic("sender/1");
        int failed = 0;
        foreach (Task<TransferResult> transfer in transfers)
        {
            try
            {
                await transfer;
            }
            catch (FabricException exception)
            {
                Assert.Contains("sender/1", exception.Message, StringComparison.Ordinal);
                failed++;
            }
        }

        // At most what was posted on the failed NIC is lost, and it is said; everything else went over the other one.
        Assert.InRange(failed, 0, 20);
        Assert.False(pair.Sender.Devices[0].GetStatistics()[1].Alive);
        TransferResult after = await pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 500_000).Ended();
        Assert.Equal(1, after.LanesUsed);
        Assert.Equal(PeerState.Ready, pair.Peer.State);
        Assert.InRange(counter.Value, 1000 - (failed * 20), 1000);
        await Assert.ThrowsAsync<FabricException>(() => pair.Sender.SubmitSingleWrite(
            pair.Source, 0, pair.Destination, 0, 8, default, new SubmitOptions { Routing = LaneRouting.Pinned(1) }).Ended());
    }
}
