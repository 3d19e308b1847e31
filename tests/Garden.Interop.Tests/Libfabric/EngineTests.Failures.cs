using Garden.Fabric;
using Garden.Interop.Libfabric;

namespace Garden.Interop.Tests.Libfabric;

public abstract partial class EngineTests
{
    [Fact]
    public async Task H3_ConnectingToNobodyEndsAtTheDeadlineWithTheAddress()
    {
        await using TransferEngine engine = FabricEngines.Build(Create());
        TransferEngine gone = FabricEngines.Build(Create());
        NetAddress address = gone.Address;
        await gone.DisposeAsync();
        PeerFailedException failure = await Assert.ThrowsAsync<PeerFailedException>(() => engine.ConnectAsync(address, TimeSpan.FromMilliseconds(400)).AsTask());
        Assert.Contains(address.ToString(), failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ClosingTellsTheOtherSide()
    {
        await using FabricEngines pair = await FabricEngines.CreateAsync(Create(), Create());
        await pair.Peer.CloseAsync();
        await FabricEngines.UntilAsync(() => pair.Receiver.Peers.All(static peer => peer.State == PeerState.Closed), "the goodbye");
    }

    [Fact]
    public async Task H2_APeerWhoseNicDiesFailsByNameAndComesBackWithANewEpoch()
    {
        await using FabricEngines pair = await FabricEngines.CreateAsync(Create(), Create(), FastHeartbeats);
        var fabric = new CapturingFabric(Create());
        TransferEngine engine = FabricEngines.Build(fabric, FastHeartbeats);
        Peer peer = await pair.Sender.ConnectAsync(engine.Address, FabricEngines.Limit);
        using var buffer = new NativeBuffer(1 << 16);
        RemoteRegion remote = peer.Import(engine.Register(buffer).Export());
        fabric.Domains[0].Fail(5);
        await FabricEngines.UntilAsync(() => peer.State == PeerState.Failed, "the peer's failure");
        Assert.Contains(engine.Address.ToString(), peer.Failure!.Message, StringComparison.Ordinal);
        GardenException failed = await Assert.ThrowsAnyAsync<GardenException>(() => FabricEngines.EndAsync(pair.Sender.SubmitSingleWrite(pair.Source, 0, remote, 0, 64)));
        Assert.NotNull(failed);
        await engine.DisposeAsync();

        // The other peer was not touched.
        await FabricEngines.EndAsync(pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 64, Immediate.FromNumber(4)));
        await FabricEngines.ReachAsync(pair.Receiver.GetCounter(4), 1);
    }

    [Fact]
    public async Task AFailedNicsUnpostedWorkMovesAndCountsStayRight()
    {
        var fabric = new CapturingFabric(Create(3, 64));
        await using FabricEngines pair = await FabricEngines.CreateAsync(fabric, Create(2, 64), bytes: 32 << 20);
        int[] pages = [.. Enumerable.Range(0, 8000)];
        int[] reversed = [.. pages.Reverse()];
        for (int round = 0; round < 2; round++)
        {
            pair.Fill(round);
            using ImmCounter counter = pair.Receiver.AllocateCounter();
            Task<TransferResult> ended = FabricEngines.EndAsync(pair.Sender.SubmitPagedWrites(
                pair.Source, new PageSpan(pages, 4096), pair.Destination, new PageSpan(reversed, 4096), 4096, counter.Immediate));
            if (round == 0)
            {
                await FabricEngines.UntilAsync(() => pair.Sender.Devices[0].GetStatistics()[1].Writes > 10, "writes on the NIC that is to die");
                fabric.Domains[1].Fail(19);
            }

            try
            {
                await ended;
            }
            catch (GardenException failure)
            {
                // What the NIC had accepted fails with it; then the receiver hears of it instead of waiting.
                Assert.True(round == 0, $"the second transfer failed as well: {failure.Message}");
                await Assert.ThrowsAsync<TransferAbortedException>(() => FabricEngines.ReachAsync(counter, pages.Length));
                continue;
            }

            await FabricEngines.ReachAsync(counter, pages.Length);
            Assert.Equal(pages.Length, counter.Value);
            for (int i = 0; i < pages.Length; i++)
                Assert.True(pair.SourceBuffer.Span((long)pages[i] * 4096, 4096).SequenceEqual(pair.DestinationBuffer.Span((long)reversed[i] * 4096, 4096)));
        }

        Assert.False(pair.Sender.Devices[0].GetStatistics()[1].Alive);
    }

    [Theory]
    [InlineData(1024)]
    [InlineData(65_536)]
    public async Task L9_ARegionRenewedUnderLoadRefusesItsWriterByNameAndTheConnectionLives(int pageBytes)
    {
        await using FabricEngines pair = await FabricEngines.CreateAsync(Create(queueDepth: 64), Create(), bytes: 32 << 20);
        await Renewals.UnderLoadAsync(pair, pageBytes, rounds: 5);
    }

    private static void FastHeartbeats(TransferEngineOptions options)
    {
        options.HeartbeatInterval = TimeSpan.FromMilliseconds(200);
        options.MissedHeartbeats = 3;
    }

    /// <summary>Remembers the NICs it opened, so that a test can break one.</summary>
    private sealed class CapturingFabric(IFabric inner) : IFabric
    {
        public string Name => inner.Name;

        public IReadOnlyList<LibfabricDomain> Domains { get; private set; } = [];

        public IReadOnlyList<IFabricDomain> Open(FabricOpenContext context)
        {
            IReadOnlyList<IFabricDomain> domains = inner.Open(context);
            Domains = [.. domains.Cast<LibfabricDomain>()];
            return domains;
        }
    }
}
