using System.Diagnostics.Metrics;
using System.Text;
using Garden.Fabric;
using Garden.Interop.Libfabric;

namespace Garden.Interop.Tests.Libfabric;

/// <summary>Failures that others have met, over real providers; named by their rows.</summary>
public abstract partial class EngineTests
{
    [Theory]
    [InlineData((byte)ControlKind.Hello)]
    [InlineData((byte)ControlKind.Accept)]
    public async Task H1_LostHellosAndLostAnswersAreRepeatedAndMakeOneConnection(byte lost)
    {
        const int Times = 3;
        int seen = 0;
        AlteredFabric Lossy() => new(Create()) { Loses = kind => kind == (ControlKind)lost && Interlocked.Increment(ref seen) <= Times };
        AlteredFabric first = Lossy(), second = Lossy();
        await using FabricEngines pair = await FabricEngines.CreateAsync(first, second);
        Assert.Equal(Times, first.Lost + second.Lost);
        Assert.Equal(PeerState.Ready, pair.Peer.State);
        // However often it was said, it is one connection.
        Assert.Equal(1, Assert.Single(pair.Receiver.Peers).Epoch);
        await FabricEngines.EndAsync(pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 64, Immediate.FromNumber(4)));
        await FabricEngines.ReachAsync(pair.Receiver.GetCounter(4), 1);
    }

    [Fact]
    public async Task H10_APeerThatDoesNotPollKeepsNobodyElseWaiting()
    {
        const int PageBytes = 4096, Pages = 8000;
        await using FabricEngines pair = await FabricEngines.CreateAsync(Create(), Create(), Patient, bytes: 32 << 20);
        await using TransferEngine slow = FabricEngines.Build(Create(), static options =>
        {
            Patient(options);
            options.CallerDriven = true;
        });
        using var buffer = new NativeBuffer(pair.SourceBuffer.Length);
        Task<Peer> connecting = pair.Sender.ConnectAsync(slow.Address, FabricEngines.Limit).AsTask();
        await FabricEngines.UntilAsync(() => Polled(slow, connecting), "the slow peer's answer");
        RemoteRegion remote = (await connecting).Import(slow.Register(buffer).Export());
        pair.Fill(7);
        int[] from = [.. Enumerable.Range(0, Pages)], to = [.. from.Reverse()];
        // More than any queue on the way holds; nobody takes it.
        Task<TransferResult> stuck = FabricEngines.EndAsync(pair.Sender.SubmitPagedWrites(pair.Source, new PageSpan(from, PageBytes), remote, new PageSpan(to, PageBytes), PageBytes));
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        for (int round = 1; round <= 20; round++)
        {
            await FabricEngines.EndAsync(pair.Sender.SubmitPagedWrites(
                pair.Source, new PageSpan(from.AsSpan(0, 100), PageBytes), pair.Destination, new PageSpan(to.AsSpan(0, 100), PageBytes), PageBytes, counter.Immediate));
            await FabricEngines.ReachAsync(counter, round * 100);
        }

        Assert.False(stuck.IsCompleted);
        await FabricEngines.UntilAsync(() => Polled(slow, stuck), "the slow peer's pages");
        await stuck;
        // A completion may come before its data is placed: the last arrival is what is polled for.
        await FabricEngines.UntilAsync(() => Polled(slow, null) && buffer.Span(0, PageBytes).SequenceEqual(pair.SourceBuffer.Span((long)(Pages - 1) * PageBytes, PageBytes)), "the last page");
        for (int i = 0; i < Pages; i++)
            Assert.True(pair.SourceBuffer.Span((long)from[i] * PageBytes, PageBytes).SequenceEqual(buffer.Span((long)to[i] * PageBytes, PageBytes)), $"page {i} differs");
    }

    [Fact]
    public async Task H10_AMessageOvertakesItsPeersBulkData()
    {
        const int Transfers = 64, Bytes = 16 << 20;
        await using FabricEngines pair = await FabricEngines.CreateAsync(Create(), Create(), Patient, Bytes);
        using ReceiveQueue queue = pair.Receiver.OpenReceiveQueue(40);
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        Task[] bulk = [.. Enumerable.Range(0, Transfers).Select(_ => FabricEngines.EndAsync(pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, Bytes, counter.Immediate)))];
        await FabricEngines.UntilAsync(() => pair.Sender.Devices[0].GetStatistics()[0].Writes != 0, "the first bulk write");
        await pair.Sender.SendAsync(pair.Peer, 40, new byte[100]);
        using ReceivedMessage message = await queue.ReceiveAsync(FabricEngines.Limit);
        long arrived = counter.Value;
        await Task.WhenAll(bulk);
        long all = Transfers * TransferUnits.OfRun(Bytes);
        await FabricEngines.ReachAsync(counter, all);
        Assert.True(arrived < all / 2, $"the message came behind {arrived} of {all} units of bulk data");
    }

    [Fact]
    public async Task T2_OfAFailedCompletionNothingButItsContextIsLookedAt()
    {
        int failed = 0;
        var fabric = new AlteredFabric(Create(queueDepth: 64))
        {
            Changes = (ref FabricCompletion completion) =>
            {
                if (completion.Status == FabricStatus.Ok || completion.Kind != FabricCompletionKind.Write)
                    return;
                Interlocked.Increment(ref failed);
                completion.Immediate = Immediate.FromNumber(5).Value;
                completion.Message = 1;
                completion.MessageLength = int.MaxValue;
                completion.MessageToken = -1;
            },
        };
        await using FabricEngines pair = await FabricEngines.CreateAsync(fabric, Create(), FastHeartbeats, bytes: 32 << 20);
        int[] pages = [.. Enumerable.Range(0, 8000)];
        Task<TransferResult> running = FabricEngines.EndAsync(pair.Sender.SubmitPagedWrites(
            pair.Source, new PageSpan(pages, 4096), pair.Destination, new PageSpan([.. pages.Reverse()], 4096), 4096));
        await FabricEngines.UntilAsync(() => pair.Sender.Devices[0].GetStatistics()[0].Writes > 10, "writes under way");
        ((LibfabricDomain)fabric.Domains[0]).Fail(19);
        await Assert.ThrowsAnyAsync<GardenException>(() => running);
        Assert.NotEqual(0, Volatile.Read(ref failed));
        Assert.Equal(0, pair.Sender.GetCounter(5).Value);
        // One in the middle of its peer's queue is a tombstone there until its turn.
        await FabricEngines.UntilAsync(() => pair.Sender.GetStatistics().TransfersActive == 0, "the failed transfer's record");
        NicStatistics nic = pair.Sender.Devices[0].GetStatistics()[0];
        Assert.Equal((0, false), (nic.InFlight, nic.Alive));
        Assert.True(nic.Errors >= failed, $"{nic.Errors} errors counted, {failed} seen");
        Assert.Null(pair.Sender.Failure);
    }

    [Fact]
    public async Task T3_AnErrorInTheWorkerFaultsItsEngineVisiblyAndThePeerNamesIt()
    {
        var fabric = new AlteredFabric(Create());
        await using FabricEngines pair = await FabricEngines.CreateAsync(fabric, Create(), FastHeartbeats);
        var lost = new TaskCompletionSource<PeerFailedException>();
        using IDisposable registration = pair.Receiver.OnPeerFailed((_, failure) => lost.TrySetResult(failure));
        using ImmCounter counter = pair.Sender.AllocateCounter();
        Task<long> wait = FabricEngines.ReachAsync(counter, 1);
        fabric.Broken = true;
        await Assert.ThrowsAsync<EngineFaultedException>(() => wait);
        EngineFaultedException refusal = Assert.Throws<EngineFaultedException>(() => pair.Sender.AllocateCounter());
        Assert.Contains("broken on purpose", refusal.Message, StringComparison.Ordinal);
        PeerFailedException named = await lost.Task.WaitAsync(FabricEngines.Limit);
        Assert.Equal(pair.Sender.Address, named.Address);
        Assert.Null(pair.Receiver.Failure);
        fabric.Broken = false;
    }

    [Fact]
    public async Task T3_GarbageIsDroppedAndCountedAndTheEngineServesOn()
    {
        const int Count = 400;
        await using FabricEngines pair = await FabricEngines.CreateAsync(Create(), Create());
        using var raw = new RawEnd(Create());
        int route = raw.OpenRoute(pair.Receiver.Address);
        var random = new Random(11);
        for (int i = 0; i < Count; i++)
        {
            byte[] message = new byte[random.Next(1, 64)];
            random.NextBytes(message);
            // Half of them with a good header and any kind, so that every parser behind it is met; for nobody's session.
            if (i % 2 == 0 && message.Length >= ControlHeader.Length)
                new ControlHeader(ControlHeader.ProtocolVersion, (ControlKind)random.Next(12), (uint)random.Next(4), 0, 0).Write(message);
            await raw.SendAsync(route, message);
        }

        await FabricEngines.UntilAsync(
            () =>
            {
                raw.Poll();
                return pair.Receiver.GetStatistics().MessagesDropped >= Count;
            },
            "all garbage dropped");
        Assert.Null(pair.Receiver.Failure);
        Assert.Single(pair.Receiver.Peers);
        await FabricEngines.EndAsync(pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 64, Immediate.FromNumber(4)));
        await FabricEngines.ReachAsync(pair.Receiver.GetCounter(4), 1);
    }

    [Fact]
    public async Task T4_AnotherProtocolVersionIsRefusedWithBothVersions()
    {
        await using TransferEngine engine = FabricEngines.Build(Create());
        using var raw = new RawEnd(Create());
        byte[] body = new HelloBody(7, 99, 1, raw.Address, "").ToBytes();
        byte[] hello = new byte[ControlHeader.Length + body.Length];
        new ControlHeader(9, ControlKind.Hello, ControlHeader.NoPeer, 0, 0).Write(hello);
        body.CopyTo(hello, ControlHeader.Length);
        await raw.SendAsync(raw.OpenRoute(engine.Address), hello);
        await FabricEngines.UntilAsync(
            () =>
            {
                raw.Poll();
                return raw.Received.Count != 0;
            },
            "the refusal");
        byte[] answer = raw.Received[0];
        Assert.True(ControlHeader.TryParse(answer, out ControlHeader header));
        Assert.Equal(ControlKind.Refuse, header.Kind);
        Assert.Contains("version 9 is not 1", Encoding.UTF8.GetString(answer.AsSpan(ControlHeader.Length)), StringComparison.Ordinal);
        Assert.Empty(engine.Peers);
    }

    [Fact]
    public async Task T6_EveryNicSaysWhichFabricItIsAndHowMuchItHasCarried()
    {
        const int Bytes = 1 << 20;
        await using FabricEngines pair = await FabricEngines.CreateAsync(Create(2), Create(2));
        using ImmCounter counter = pair.Receiver.AllocateCounter();
        await FabricEngines.EndAsync(pair.Sender.SubmitSingleWrite(
            pair.Source, 0, pair.Destination, 0, Bytes, counter.Immediate, new SubmitOptions { Routing = LaneRouting.ByBytes }));
        await FabricEngines.EndAsync(pair.Sender.SubmitSingleWrite(
            pair.Source, 0, pair.Destination, 0, Bytes, counter.Immediate, new SubmitOptions { Routing = LaneRouting.Pinned(1) }));
        await FabricEngines.ReachAsync(counter, 2 * TransferUnits.OfRun(Bytes));
        IReadOnlyList<NicStatistics> sent = pair.Sender.Devices[0].GetStatistics(), received = pair.Receiver.Devices[0].GetStatistics();
        Assert.Equal(pair.Sender.Address.Nics, sent.Select(static nic => nic.Nic));
        Assert.All(sent.Concat(received), nic => Assert.Equal(pair.Peer.Address.Fabric, nic.Fabric));
        Assert.Equal([Bytes / 2, Bytes / 2 * 3], sent.Select(static nic => nic.Bytes));
        Assert.Equal([1, 2], sent.Select(static nic => nic.Writes));
        Assert.Equal([1, 2], received.Select(static nic => nic.Immediates));
        Assert.Equal(0, received.Sum(static nic => nic.Bytes));
        // What names a peer names its way.
        Assert.Contains($"{pair.Peer.Address.Fabric}://", pair.Peer.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task T7_MetersReportEveryNicByFabricAndAddress()
    {
        await using FabricEngines pair = await FabricEngines.CreateAsync(Create(), Create());
        for (int i = 0; i < 10; i++)
            await FabricEngines.EndAsync(pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 1000, Immediate.FromNumber(4)));
        await FabricEngines.ReachAsync(pair.Receiver.GetCounter(4), 10);
        Dictionary<string, long> sender = Measured(pair.Sender), receiver = Measured(pair.Receiver);
        Assert.Equal(10, sender["garden.nic.writes"]);
        Assert.Equal(10_000, sender["garden.nic.bytes"]);
        Assert.Equal(0, sender["garden.nic.errors"]);
        Assert.Equal(0, sender["garden.nic.in_flight"]);
        Assert.Equal(10, receiver["garden.nic.immediates"]);
        Assert.Equal(10, sender["garden.transfers.completed"]);
        Assert.NotEqual(0, receiver["garden.nic.messages.received"]);
    }

    /// <summary>What the meter says of an engine with one NIC. Other tests' engines are in the same process.</summary>
    private static Dictionary<string, long> Measured(TransferEngine engine)
    {
        var values = new Dictionary<string, long>();
        using var listener = new MeterListener
        {
            InstrumentPublished = static (instrument, listener) =>
            {
                if (instrument.Meter.Name == GardenMetrics.Name)
                    listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            string?[] of = [$"{engine.Id:x16}", engine.Address.Nics[0]];
            foreach (KeyValuePair<string, object?> tag in tags)
            {
                if (tag.Key is "garden.engine" or "garden.nic" && of.Contains(tag.Value))
                    values[instrument.Name] = value;
                if (tag.Key == "garden.fabric" && (string)tag.Value! == "")
                    Assert.Fail($"{instrument.Name} does not name its fabric");
            }
        });
        listener.Start();
        listener.RecordObservableInstruments();
        return values;
    }

    /// <summary>Polls an engine once and says whether a task has ended.</summary>
    private static bool Polled(TransferEngine engine, Task? task)
    {
        engine.Poll();
        return task is null || task.IsCompleted;
    }

    /// <summary>A peer that does not poll sends no heartbeats.</summary>
    private static void Patient(TransferEngineOptions options) => options.HeartbeatInterval = TimeSpan.FromSeconds(20);
}
