using Garden.Fabric;
using Garden.Fabric.Loopback;

namespace Garden.Core.Tests.Engine;

/// <summary>The rows of the parity table in docs/engine.md that no other class covers, and the refusals of bad input.</summary>
public sealed class OperationTests
{
    [Fact]
    public async Task ABarrierReachesEveryMember()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        await using TransferEngine third = EnginePair.Build(pair.Network, new LoopbackOptions { Name = "third" });
        using PeerGroup group = pair.Sender.CreatePeerGroup(pair.Peer, await pair.Sender.ConnectAsync(third.Address, EnginePair.Limit));
        Assert.Equal(2, (await pair.Sender.SubmitBarrier(group, Immediate.FromNumber(8)).Ended()).Writes);
        await pair.Receiver.GetCounter(8).Reaches(1);
        await third.GetCounter(8).Reaches(1);
        Assert.Throws<PlanException>(() => pair.Sender.SubmitBarrier(group, Immediate.None));
    }

    [Fact]
    public async Task AScatterByPeerKeepsEachPeerOnOneNic()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(new LoopbackOptions { Name = "", Nics = 2 });
        var engines = new List<TransferEngine>();
        var targets = new List<ScatterTarget>();
        using var buffer = new NativeBuffer(1 << 20);
        for (int i = 0; i < 4; i++)
        {
            engines.Add(EnginePair.Build(pair.Network, new LoopbackOptions { Name = $"target{i}" }));
            Peer peer = await pair.Sender.ConnectAsync(engines[i].Address, EnginePair.Limit);
            RemoteRegion remote = peer.Import(engines[i].Register(buffer).Export());
            for (int part = 0; part < 8; part++)
                targets.Add(new ScatterTarget(remote.Handle, Immediate.FromNumber(3), part * 1000, part * 1000, 1000));
        }

        foreach (LaneRouting routing in new[] { LaneRouting.ByPeer, LaneRouting.Pinned(1), LaneRouting.Sharded })
        {
            TransferResult result = await pair.Sender.SubmitScatter(pair.Source, targets.ToArray(), new SubmitOptions { Routing = routing }).Ended();
            Assert.Equal(32, result.Writes);
            if (routing.Kind == LaneRoutingKind.Pinned)
                Assert.Equal(2, result.LanesUsed);
        }

        foreach (TransferEngine engine in engines)
        {
            await engine.GetCounter(3).Reaches(24);
            await engine.DisposeAsync();
        }
    }

    [Fact]
    public async Task MessagesGoBothWaysAndEarlyOnesWaitForTheirReceiver()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        await pair.Sender.SendAsync(pair.Peer, 40, new byte[] { 1, 2, 3 });
        using ReceiveQueue queue = pair.Receiver.OpenReceiveQueue(40);
        using (ReceivedMessage message = await queue.ReceiveAsync(EnginePair.Limit))
        {
            Assert.True(message.Bytes.SequenceEqual(new byte[] { 1, 2, 3 }));
            using ReceiveQueue answers = pair.Sender.OpenReceiveQueue(41);
            byte[] longest = new byte[message.Peer.MaxMessageLength];
            new Random(1).NextBytes(longest);
            await pair.Receiver.SendAsync(message.Peer, 41, longest);
            using ReceivedMessage answer = await answers.ReceiveAsync(EnginePair.Limit);
            Assert.True(answer.Bytes.SequenceEqual(longest));
        }

        ArgumentException tooLong = await Assert.ThrowsAsync<ArgumentException>(() =>
            pair.Sender.SendAsync(pair.Peer, 40, new byte[pair.Peer.MaxMessageLength + 1]).AsTask());
        Assert.Contains($"at most {pair.Peer.MaxMessageLength}", tooLong.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => pair.Receiver.OpenReceiveQueue(40));
        await pair.Sender.SendAsync(pair.Peer, 40, new byte[] { 5, 6 });
        byte[] posted = new byte[2];
        await Assert.ThrowsAsync<ArgumentException>(() => queue.ReceiveAsync(new byte[1], EnginePair.Limit).AsTask());
        Assert.Equal(2, (await queue.ReceiveAsync(posted, EnginePair.Limit)).Length);
        Assert.Equal([5, 6], posted);
        await Assert.ThrowsAsync<TimeoutException>(() => queue.ReceiveAsync(TimeSpan.FromMilliseconds(20)).AsTask());
    }

    [Fact]
    public async Task PartsOfARegionAreExportedWithTheirOwnBounds()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        pair.Fill(1);
        RemoteRegion part = pair.Peer.Import(pair.DestinationRegion.Export(1000, 500));
        await pair.Sender.SubmitSingleWrite(pair.Source, 0, part, 100, 400).Ended();
        pair.AssertMoved(0, 1100, 400);
        Assert.Throws<PlanException>(() => pair.Sender.SubmitSingleWrite(pair.Source, 0, part, 101, 400));
        Assert.Throws<PlanException>(() => pair.DestinationRegion.Export(1 << 20, 1));
    }

    [Fact]
    public async Task DevicesTellTheirNicsAndSpeeds()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(new LoopbackOptions { Name = "", Nics = 4, LinkGigabitsPerSecond = 100 });
        EngineDevice device = pair.Sender.Devices[0];
        Assert.Equal((4, 400.0), (device.Nics.Count, device.LinkGigabitsPerSecond));
        Assert.Equal(FabricCompletionLevel.RemotePlaced, device.Completion);
        Assert.Equal("loopback://sender/0;sender/1;sender/2;sender/3", device.Address.ToString());
        await pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 100).Ended();
        // T6: which fabric and which NIC carried the bytes can be asked.
        Assert.Equal(100, device.GetStatistics().Where(nic => nic.Fabric == "loopback").Sum(nic => nic.Bytes));
    }

    [Fact]
    public async Task OneCounterSumsOverDevices()
    {
        var network = new LoopbackNetwork();
        await using TransferEngine two = TransferEngine.CreateBuilder()
            .UseLoopback(network, new LoopbackOptions { Name = "two" })
            .UseLoopback(network, new LoopbackOptions { Name = "two" })
            .Configure(static options => options.WaitStrategy = WaitStrategy.Economic)
            .Build();
        await using TransferEngine receiver = EnginePair.Build(network, new LoopbackOptions { Name = "receiver" });
        using var buffer = new NativeBuffer(1 << 16);
        MemoryRegion target = receiver.Register(buffer);
        using ImmCounter counter = receiver.AllocateCounter();
        for (int device = 0; device < 2; device++)
        {
            Peer peer = await two.ConnectAsync(receiver.Address, EnginePair.Limit, device);
            MemoryRegion source = two.Register(buffer, device);
            RemoteRegion remote = peer.Import(target.Export());
            await two.SubmitSingleWrite(source, 0, remote, 0, 64, counter.Immediate).Ended();
            if (device == 1)
            {
                MemoryRegion other = two.Register(buffer, 0);
                Assert.Contains("mixes regions", Assert.Throws<PlanException>(() => two.SubmitSingleWrite(other, 0, remote, 0, 8)).Message, StringComparison.Ordinal);
            }
        }

        await counter.Reaches(2);
        Assert.Throws<ArgumentOutOfRangeException>(() => two.Register(buffer, 2));
    }

    [Fact]
    public async Task RangesOutsideTheirRegionsAreRefusedWithTheirValues()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        long end = pair.Source.Length;
        foreach ((long from, long to, long length) in new[]
        {
            (end, 0L, 1L), (0L, end, 1L), (-1L, 0L, 8L), (0L, -1L, 8L), (0L, 0L, -1L), (1L, 0L, end), (0L, 1L, end),
            (long.MaxValue, 0L, 8L), (0L, long.MaxValue, 8L), (8L, 8L, long.MaxValue),
        })
        {
            PlanException refusal = Assert.Throws<PlanException>(() => pair.Sender.SubmitSingleWrite(pair.Source, from, pair.Destination, to, length));
            Assert.Contains(end.ToString(System.Globalization.CultureInfo.InvariantCulture), refusal.Message, StringComparison.Ordinal);
        }

        foreach ((int[] from, int[] to, string text) in new (int[], int[], string)[]
        {
            ([0, 1], [0], "equal lengths"), ([-1], [0], "negative"), ([256], [0], "page index 256"), ([0], [256], "page index 256"), ([int.MaxValue], [0], "page index"),
        })
        {
            PlanException refusal = Assert.Throws<PlanException>(() => pair.Sender.SubmitPagedWrites(
                pair.Source, new PageSpan(from, 4096), pair.Destination, new PageSpan(to, 4096), 4096));
            Assert.Contains(text, refusal.Message, StringComparison.Ordinal);
        }

        Assert.Throws<PlanException>(() => pair.Sender.SubmitPagedWrites(pair.Source, new PageSpan([0], -1), pair.Destination, new PageSpan([0], 1), 1));
        Assert.ThrowsAny<ArgumentException>(() => pair.Sender.SubmitPagedWrites(pair.Source, new PageSpan([0], 1), pair.Destination, new PageSpan([0], 1), -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => pair.Sender.SubmitSingleWrite(
            pair.Source, 0, pair.Destination, 0, 8, default, new SubmitOptions { Deadline = TimeSpan.Zero }));
        Assert.Throws<PlanException>(() => pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 8, Immediate.FromBits((1u << 31) | 5)));
        PageList disposed = PageList.Create([1]);
        PageListHandle stale = disposed.Handle;
        disposed.Dispose();
        Assert.Throws<ObjectDisposedException>(() => pair.Sender.Submit(new PagedWrites
        {
            Source = pair.Source.Handle,
            Destination = pair.Destination.Handle,
            Count = 1,
            PageLength = 8,
            SourcePages = stale,
            DestinationPages = stale,
        }));
        EngineStatistics statistics = pair.Sender.GetStatistics();
        Assert.Equal((0L, 0L, 0), (statistics.TransfersOutstanding, statistics.TransfersFailed, statistics.TransfersActive));
        Assert.Equal(0, pair.Sender.Devices[0].GetStatistics()[0].Writes);
    }

    [Fact]
    public async Task ATransferIsConsumedOnce()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        Transfer transfer = pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 8);
        await Wait.UntilAsync(() => transfer.IsCompleted, "the transfer");
        transfer.GetResult();
        Assert.Throws<InvalidOperationException>(() => transfer.GetResult());
        Assert.Throws<InvalidOperationException>(() => default(Transfer).IsCompleted);
        pair.Network.HoldDeliveries("receiver");
        Transfer running = pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 8);
        Assert.Throws<InvalidOperationException>(() => running.GetResult());
        running.Forget();
        pair.Network.ReleaseDeliveries("receiver");
        await Wait.UntilAsync(() => pair.Sender.GetStatistics().TransfersOutstanding == 0, "the forgotten transfer's source");
    }

    [Fact]
    public async Task WorkersArePinnedWhereAskedAndRefusedWhereTheyCannotBe()
    {
        await using TransferEngine pinned = EnginePair.Build(new LoopbackNetwork(), new LoopbackOptions { Name = "pinned" }, options =>
            options.WorkerCpus = new Dictionary<int, int> { [0] = 0 });
        Assert.Null(pinned.Failure);
        Assert.Throws<ArgumentOutOfRangeException>(() => EnginePair.Build(new LoopbackNetwork(), new LoopbackOptions { Name = "wrong" }, options =>
            options.WorkerCpus = new Dictionary<int, int> { [0] = -1 }));
        InvalidOperationException absent = Assert.Throws<InvalidOperationException>(() => EnginePair.Build(new LoopbackNetwork(), new LoopbackOptions { Name = "absent" }, options =>
            options.WorkerCpus = new Dictionary<int, int> { [0] = 1000 }));
        Assert.Contains("CPU 1000", absent.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task L4_MoreThanFourGigabytesArriveWhole()
    {
        // Sparse memory: the source is untouched zero pages, and the NIC of this test copies the first and last bytes only.
        const long Length = (8L << 30) + 1;
        var network = new LoopbackNetwork();
        var tiles = new TilingFabric(new LoopbackFabric(network, new LoopbackOptions { Name = "sender", Nics = 2, MaxWriteLength = 1L << 30 }));
        await using TransferEngine sender = TransferEngine.CreateBuilder().UseFabric(tiles).Build();
        await using TransferEngine receiver = EnginePair.Build(network, new LoopbackOptions { Name = "receiver" });
        using var source = new NativeBuffer(Length);
        using var destination = new NativeBuffer(Length);
        MemoryRegion from = sender.Register(source);
        Peer peer = await sender.ConnectAsync(receiver.Address, EnginePair.Limit);
        RemoteRegion to = peer.Import(receiver.Register(destination).Export());
        TransferResult result = await sender.SubmitSingleWrite(from, 0, to, 0, Length, Immediate.ForCounter(0, 0)).Ended();
        Assert.Equal(Length, result.Bytes);
        Assert.Equal(TransferUnits.OfRun(Length), tiles.Units);
        tiles.AssertTiles((ulong)from.Address, Length);
    }

    [Fact]
    public async Task L4_AWriteThatIsNeverCutKeepsItsSixtyFourBits()
    {
        const long Length = (4L << 30) + 1;
        var network = new LoopbackNetwork();
        var tiles = new TilingFabric(new LoopbackFabric(network, new LoopbackOptions { Name = "sender" }));
        await using TransferEngine sender = TransferEngine.CreateBuilder().UseFabric(tiles).Build();
        await using TransferEngine receiver = EnginePair.Build(network, new LoopbackOptions { Name = "receiver" });
        using var buffer = new NativeBuffer(Length);
        MemoryRegion from = sender.Register(buffer);
        RemoteRegion to = (await sender.ConnectAsync(receiver.Address, EnginePair.Limit)).Import(receiver.Register(buffer).Export());
        TransferResult result = await sender.SubmitSingleWrite(from, 0, to, 0, Length, Immediate.FromNumber(1)).Ended();
        Assert.Equal((Length, 1L), (result.Bytes, result.Writes));
        tiles.AssertTiles((ulong)from.Address, Length);
    }
}
