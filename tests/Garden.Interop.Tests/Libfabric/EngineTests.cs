using Garden.Fabric;

namespace Garden.Interop.Tests.Libfabric;

/// <summary>The engine's main promises over a real provider; one subclass a fabric.</summary>
public abstract partial class EngineTests
{
    /// <summary>A fabric with so many NICs.</summary>
    protected abstract IFabric Create(int nics = 1, int queueDepth = 1024);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 3)]
    [InlineData(4, 1)]
    public async Task L1_SingleWritesOfAnyLengthArriveWhole(int senderNics, int receiverNics)
    {
        await using FabricEngines pair = await FabricEngines.CreateAsync(Create(senderNics), Create(receiverNics));
        foreach (long length in new[] { 0, 1, 7, 4096, 16385, 65535, 65537, 200_001, (3 << 20) + 5 })
        {
            pair.Fill((int)length);
            using ImmCounter counter = pair.Receiver.AllocateCounter();
            TransferResult result = await FabricEngines.EndAsync(pair.Sender.SubmitSingleWrite(pair.Source, 3, pair.Destination, 77, length, counter.Immediate));
            await FabricEngines.ReachAsync(counter, TransferUnits.OfRun(length));
            Assert.Equal(length, result.Bytes);
            pair.AssertMoved(3, 77, length);
        }
    }

    [Theory]
    [InlineData(1024, 1000, 16)]
    [InlineData(65_536, 60, 1024)]
    public async Task PagedWritesInRandomOrderArriveWholeUnderBackPressure(int pageBytes, int pages, int queueDepth)
    {
        await using FabricEngines pair = await FabricEngines.CreateAsync(Create(2, queueDepth), Create(1, queueDepth));
        pair.Fill(5);
        int[] from = [.. Enumerable.Range(0, pages)], to = [.. Enumerable.Range(0, pages)];
        new Random(1).Shuffle(from);
        new Random(2).Shuffle(to);
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        await FabricEngines.EndAsync(pair.Sender.SubmitPagedWrites(
            pair.Source, new PageSpan(from, pageBytes), pair.Destination, new PageSpan(to, pageBytes), pageBytes, counter.Immediate));
        await FabricEngines.ReachAsync(counter, pages * TransferUnits.OfRun(pageBytes));
        for (int i = 0; i < pages; i++)
            Assert.True(pair.SourceBuffer.Span((long)from[i] * pageBytes, pageBytes).SequenceEqual(pair.DestinationBuffer.Span((long)to[i] * pageBytes, pageBytes)), $"page {i} differs");
        Assert.Equal(0, pair.Sender.Devices[0].GetStatistics().Sum(static nic => nic.InFlight));
    }

    [Fact]
    public async Task ScatterBarrierAndNumbersReachEveryPeer()
    {
        await using FabricEngines pair = await FabricEngines.CreateAsync(Create(), Create());
        await using TransferEngine third = FabricEngines.Build(Create());
        using var buffer = new NativeBuffer(1 << 16);
        Peer peer = await pair.Sender.ConnectAsync(third.Address, FabricEngines.Limit);
        RemoteRegion remote = peer.Import(third.Register(buffer).Export());
        pair.Fill(9);
        await FabricEngines.EndAsync(pair.Sender.SubmitScatter(
            pair.Source,
            [new ScatterTarget(pair.Destination.Handle, Immediate.FromNumber(3), 10, 20, 30_000), new ScatterTarget(remote.Handle, Immediate.FromNumber(3), 10, 0, 500)]));
        await FabricEngines.ReachAsync(pair.Receiver.GetCounter(3), 1);
        await FabricEngines.ReachAsync(third.GetCounter(3), 1);
        pair.AssertMoved(10, 20, 30_000);
        Assert.True(pair.SourceBuffer.Span(10, 500).SequenceEqual(buffer.Span(0, 500)));

        using PeerGroup group = pair.Sender.CreatePeerGroup(pair.Peer, peer);
        await FabricEngines.EndAsync(pair.Sender.SubmitBarrier(group, Immediate.FromNumber(8)));
        await FabricEngines.ReachAsync(pair.Receiver.GetCounter(8), 1);
        await FabricEngines.ReachAsync(third.GetCounter(8), 1);
    }

    [Fact]
    public async Task H9_TensOfThousandsOfImmediatesInABurstAllCount()
    {
        const int Count = 30_000;
        await using FabricEngines pair = await FabricEngines.CreateAsync(Create(), Create());
        int[] pages = [.. Enumerable.Range(0, Count)];
        new Random(3).Shuffle(pages);
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        await FabricEngines.EndAsync(pair.Sender.SubmitPagedWrites(
            pair.Source, new PageSpan(pages, 8), pair.Destination, new PageSpan([.. pages.Reverse()], 8), 8, counter.Immediate, new SubmitOptions { Deadline = FabricEngines.Limit }));
        await FabricEngines.ReachAsync(counter, Count);
        Assert.Equal(Count, counter.Value);
    }

    [Fact]
    public async Task MessagesGoBothWaysUnderABurst()
    {
        await using FabricEngines pair = await FabricEngines.CreateAsync(Create(), Create());
        using ReceiveQueue queue = pair.Receiver.OpenReceiveQueue(40, 4096);
        using ReceiveQueue answers = pair.Sender.OpenReceiveQueue(41);
        Task[] sends = [.. Enumerable.Range(0, 1000).Select(i => pair.Sender.SendAsync(pair.Peer, 40, BitConverter.GetBytes(i)).AsTask())];
        var seen = new HashSet<int>();
        Peer? back = null;
        for (int i = 0; i < sends.Length; i++)
        {
            using ReceivedMessage message = await queue.ReceiveAsync(FabricEngines.Limit);
            Assert.True(seen.Add(BitConverter.ToInt32(message.Bytes)), "a message came twice");
            back = message.Peer;
        }

        await Task.WhenAll(sends).WaitAsync(FabricEngines.Limit);
        byte[] longest = new byte[back!.MaxMessageLength];
        new Random(1).NextBytes(longest);
        await pair.Receiver.SendAsync(back, 41, longest);
        using ReceivedMessage answer = await answers.ReceiveAsync(FabricEngines.Limit);
        Assert.True(answer.Bytes.SequenceEqual(longest));
    }

    [Fact]
    public async Task L8_ACancelledTransferEndsDrained()
    {
        await using FabricEngines pair = await FabricEngines.CreateAsync(Create(queueDepth: 16), Create(), bytes: 64 << 20);
        Transfer transfer = pair.Sender.SubmitPagedWrites(
            pair.Source, new PageSpan([.. Enumerable.Range(0, 16_000)], 4096), pair.Destination, new PageSpan([.. Enumerable.Range(0, 16_000).Reverse()], 4096), 4096);
        Task<TransferResult> ended = FabricEngines.EndAsync(transfer);
        await FabricEngines.UntilAsync(() => pair.Sender.Devices[0].GetStatistics()[0].Writes != 0, "the first write");
        transfer.Cancel();
        try
        {
            await ended;
        }
        catch (TransferCanceledException cancelled)
        {
            Assert.InRange(cancelled.Partial.Writes, 0, 16_000);
        }

        Assert.Equal(0, pair.Sender.Devices[0].GetStatistics()[0].InFlight);
        Assert.Equal(0, pair.Sender.GetStatistics().WritesLeaked);
    }

    [Fact]
    public async Task IdleEnginesParkAndWakeForEachOther()
    {
        await using FabricEngines pair = await FabricEngines.CreateAsync(Create(), Create());
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        for (int i = 1; i <= 50; i++)
        {
            // Both workers are parked by the time of the next round: nothing but the fabric wakes the receiver's.
            await Task.Delay(i % 10 == 0 ? 20 : 1);
            await FabricEngines.EndAsync(pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 64, counter.Immediate));
            await FabricEngines.ReachAsync(counter, i);
        }
    }
}
