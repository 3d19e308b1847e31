using Garden.Fabric;
using Garden.Interop.Tests.Libfabric;
using Garden.Interop.Verbs;

namespace Garden.Interop.Tests.Verbs;

/// <summary>The engine's main promises over verbs.</summary>
public sealed class VerbsEngineTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 3)]
    [InlineData(4, 1)]
    public async Task L4_WritesLongerThanTheLongestRequestAreCutAndArriveWhole(int senderNics, int receiverNics)
    {
        await using FabricEngines pair = await VerbsEngines.PairAsync(senderNics, receiverNics, static options => options with { MaxWriteLength = 64 * 1024 });
        foreach (long length in new[] { 0, 1, 7, 4096, 16385, 65535, 65536, 65537, 200_001, (1 << 20) + 5 })
        {
            pair.Fill((int)length);
            using ImmCounter counter = pair.Receiver.AllocateCounter();
            TransferResult result = await VerbsEngines.EndAsync(pair.Sender.SubmitSingleWrite(pair.Source, 3, pair.Destination, 77, length, counter.Immediate));
            await VerbsEngines.ReachAsync(counter, TransferUnits.OfRun(length));
            Assert.Equal(length, result.Bytes);
            Assert.True(result.Writes >= length / (64 * 1024), $"{length} bytes went in {result.Writes} writes");
            pair.AssertMoved(3, 77, length);
        }
    }

    [Fact]
    public async Task H9_AHundredThousandImmediatesInBurstsAllCount()
    {
        const int Bursts = 4, Pages = 25_000;
        await using FabricEngines pair = await VerbsEngines.PairAsync();
        int[] pages = [.. Enumerable.Range(0, Pages)];
        new Random(3).Shuffle(pages);
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        Task[] bursts = [.. Enumerable.Range(0, Bursts).Select(_ => VerbsEngines.EndAsync(pair.Sender.SubmitPagedWrites(
            pair.Source, new PageSpan(pages, 8), pair.Destination, new PageSpan([.. pages.Reverse()], 8), 8, counter.Immediate, new SubmitOptions { Deadline = VerbsEngines.Limit })))];
        await Task.WhenAll(bursts);
        await VerbsEngines.ReachAsync(counter, Bursts * Pages);
        Assert.Equal(Bursts * Pages, counter.Value);
    }

    [Fact]
    public async Task L7_WhatIsCountedIsThereInBothDirectionsAtOnce()
    {
        const int PageBytes = 4096, Pages = 200, Rounds = 6;
        await using FabricEngines pair = await VerbsEngines.PairAsync(2, 2);
        Peer back = pair.Receiver.Peers.Single();
        RemoteRegion remoteSource = back.Import(pair.Source.Export());
        Task there = StreamAsync(pair.Sender, pair.Receiver, pair.Source, pair.SourceBuffer, pair.Destination, pair.DestinationBuffer, 0, 2 << 20, 1);
        Task here = StreamAsync(pair.Receiver, pair.Sender, pair.DestinationRegion, pair.DestinationBuffer, remoteSource, pair.SourceBuffer, 1 << 20, 3 << 20, 2);
        await Task.WhenAll(there, here);

        static async Task StreamAsync(
            TransferEngine sender, TransferEngine receiver, MemoryRegion source, NativeBuffer from, RemoteRegion destination, NativeBuffer to, long sourceBase, long destinationBase, int seed)
        {
            var random = new Random(seed);
            int[] sourcePages = [.. Enumerable.Range((int)(sourceBase / PageBytes), Pages)], destinationPages = [.. Enumerable.Range((int)(destinationBase / PageBytes), Pages)];
            using ImmCounter counter = receiver.AllocateCounter();
            for (int round = 1; round <= Rounds; round++)
            {
                random.Shuffle(sourcePages);
                random.Shuffle(destinationPages);
                random.NextBytes(from.Span(sourceBase, Pages * PageBytes));
                Task<TransferResult> ended = VerbsEngines.EndAsync(sender.SubmitPagedWrites(
                    source, new PageSpan(sourcePages, PageBytes), destination, new PageSpan(destinationPages, PageBytes), PageBytes, counter.Immediate));
                // By the count alone, before the sender hears of the end.
                await VerbsEngines.ReachAsync(counter, (long)round * Pages);
                for (int i = 0; i < Pages; i++)
                    Assert.True(from.Span((long)sourcePages[i] * PageBytes, PageBytes).SequenceEqual(to.Span((long)destinationPages[i] * PageBytes, PageBytes)), $"page {i} of round {round} differs");
                await ended;
            }
        }
    }

    [Fact]
    public async Task IdleEnginesParkAndWakeForEachOther()
    {
        await using FabricEngines pair = await VerbsEngines.PairAsync();
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        for (int i = 1; i <= 30; i++)
        {
            // Both workers are parked by the time of the next round: nothing but the fabric wakes the receiver's.
            await Task.Delay(i % 10 == 0 ? 50 : 1);
            await VerbsEngines.EndAsync(pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 64, counter.Immediate));
            await VerbsEngines.ReachAsync(counter, i);
        }
    }

    [Fact]
    public async Task L9_ARegionRenewedUnderLoadRefusesItsWriterByNameAndTheConnectionLives()
    {
        await using FabricEngines pair = await VerbsEngines.PairAsync();
        // More than the messages of a window: each of them is a revocation.
        await Renewals.UnderLoadAsync(pair, 4096, rounds: 12);
    }

    [Fact]
    public async Task H2_APeerWhoseNicDiesFailsByNameOthersGoOnAndItsSuccessorConnects()
    {
        await using FabricEngines pair = await VerbsEngines.PairAsync();
        int next = 2;
        CapturingFabric fabric = VerbsEngines.Create(ref next);
        TransferEngine engine = FabricEngines.Build(fabric, VerbsEngines.Patient);
        Peer peer = await pair.Sender.ConnectAsync(engine.Address, VerbsEngines.Limit);
        using var buffer = new NativeBuffer(1 << 20);
        RemoteRegion remote = peer.Import(engine.Register(buffer).Export());
        Task<TransferResult> running = VerbsEngines.EndAsync(pair.Sender.SubmitPagedWrites(
            pair.Source, new PageSpan([.. Enumerable.Range(0, 256)], 4096), remote, new PageSpan([.. Enumerable.Range(0, 256).Reverse()], 4096), 4096));
        fabric.Domains[0].Fail(VerbsErrors.PortDown);
        // Long before a heartbeat is missed: the device's retry time runs out.
        await FabricEngines.UntilAsync(() => peer.State == PeerState.Failed || running.IsCompletedSuccessfully, "the peer's failure");
        if (peer.State != PeerState.Failed)
            await Assert.ThrowsAnyAsync<GardenException>(() => VerbsEngines.EndAsync(pair.Sender.SubmitSingleWrite(pair.Source, 0, remote, 0, 64)));
        else
            await Assert.ThrowsAnyAsync<GardenException>(() => running);
        await FabricEngines.UntilAsync(() => peer.State == PeerState.Failed, "the peer's failure");
        Assert.Contains(engine.Address.ToString(), peer.Failure!.Message, StringComparison.Ordinal);
        await engine.DisposeAsync();

        await VerbsEngines.EndAsync(pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 64, Immediate.FromNumber(4)));
        await VerbsEngines.ReachAsync(pair.Receiver.GetCounter(4), 1);
        next = 2;
        await using TransferEngine successor = FabricEngines.Build(VerbsEngines.Create(ref next), VerbsEngines.Patient);
        Peer again = await pair.Sender.ConnectAsync(successor.Address, VerbsEngines.Limit);
        Assert.Equal(PeerState.Ready, again.State);
    }

    [Fact]
    public async Task H1_LostConnectionDatagramsAreRepeatedAndMakeOneConnection()
    {
        int next = 0;
        CapturingFabric first = VerbsEngines.Create(ref next), second = VerbsEngines.Create(ref next);
        await using TransferEngine sender = FabricEngines.Build(first, VerbsEngines.Patient), receiver = FabricEngines.Build(second, VerbsEngines.Patient);
        int lost = 0;
        var seen = new HashSet<(string, uint, uint, bool)>();
        // Of every distinct datagram the first copy is lost, on both sides.
        first.Domains[0].LosesDatagram = second.Domains[0].LosesDatagram = offer =>
        {
            lock (seen)
            {
                bool loses = seen.Add((offer.Address, offer.Epoch, offer.PeerEpoch, offer.IsSettled));
                lost += loses ? 1 : 0;
                return loses;
            }
        };
        Peer peer = await sender.ConnectAsync(receiver.Address, VerbsEngines.Limit);
        Assert.Equal(PeerState.Ready, peer.State);
        Assert.True(lost >= 2, $"{lost} datagrams were lost");
        Assert.Single(receiver.Peers);
    }
}
