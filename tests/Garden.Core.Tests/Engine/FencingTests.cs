using Garden.Fabric.Loopback;

namespace Garden.Core.Tests.Engine;

public sealed class FencingTests
{
    [Fact]
    public async Task L8_APeerThatWasGivenUpCannotWriteAnyMore()
    {
        var network = new LoopbackNetwork();
        await using TransferEngine sender = EnginePair.Build(network, new LoopbackOptions { Name = "sender" });
        await using TransferEngine receiver = EnginePair.Build(
            network, new LoopbackOptions { Name = "receiver" }, static options => options.HeartbeatInterval = TimeSpan.FromMilliseconds(50));
        using var source = new NativeBuffer(4096);
        using var destination = new NativeBuffer(4096);
        source.Span(0, 4096).Fill(1);
        MemoryRegion from = sender.Register(source);
        Peer peer = await sender.ConnectAsync(receiver.Address, EnginePair.Limit);
        RemoteRegion to = peer.Import(receiver.Register(destination).Export());
        // On its way, and so are the sender's heartbeats: only the receiver notices.
        network.HoldDeliveries("receiver");
        Task<TransferResult> late = sender.SubmitSingleWrite(from, 0, to, 0, 4096, Immediate.FromNumber(3)).Ended();
        await Wait.UntilAsync(() => receiver.Peers.Count == 0, "the receiver gives the sender up");
        network.ReleaseDeliveries("receiver");
        await Assert.ThrowsAnyAsync<GardenException>(() => late);
        Assert.False(destination.Span(0, 4096).ContainsAnyExcept((byte)0));
        Assert.Equal(0, receiver.GetCounter(3).Value);
    }

    [Fact]
    public async Task L9_AnEngineThatTookAnAddressOverEndsItsPredecessor()
    {
        var network = new LoopbackNetwork();
        await using TransferEngine server = EnginePair.Build(network, new LoopbackOptions { Name = "server" }, static options => options.HeartbeatInterval = TimeSpan.FromHours(1));
        TransferEngine first = EnginePair.Build(network, new LoopbackOptions { Name = "client" });
        await first.ConnectAsync(server.Address, EnginePair.Limit);
        Peer old = Assert.Single(server.Peers);
        // Killed, not closed: it says nothing, and the next heartbeat is an hour away.
        network.KillDevice("client");
        await first.DisposeAsync();
        await using TransferEngine second = EnginePair.Build(network, new LoopbackOptions { Name = "client" });
        await second.ConnectAsync(server.Address, EnginePair.Limit);
        await Wait.UntilAsync(() => old.State == PeerState.Failed, "the predecessor has failed");
        Peer now = Assert.Single(server.Peers);
        Assert.Equal(second.Id, now.EngineId);
        await server.SubmitImmediate(now, Immediate.FromNumber(1)).Ended();
    }

    [Fact]
    public async Task H10_ALongTransferDoesNotKeepAnotherPeersWaiting()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(new LoopbackOptions { Name = "", QueueDepth = 64, BandwidthBytesPerSecond = 20_000_000 });
        await using TransferEngine third = EnginePair.Build(pair.Network, new LoopbackOptions { Name = "third" });
        Peer other = await pair.Sender.ConnectAsync(third.Address, EnginePair.Limit);
        RemoteRegion there = other.Import(third.Register(pair.DestinationBuffer).Export());
        int[] pages = [.. Enumerable.Range(0, 1000)];
        Transfer large = pair.Sender.SubmitPagedWrites(pair.Source, new PageSpan(pages, 1001), pair.Destination, new PageSpan(pages, 1002), 1000);
        Transfer small = pair.Sender.SubmitPagedWrites(pair.Source, new PageSpan(pages.AsSpan(0, 100), 1001), there, new PageSpan(pages.AsSpan(0, 100), 1002), 1000);
        await small.Ended();
        Assert.False(large.IsCompleted);
        await large.Ended();
    }

    [Fact]
    public async Task H10_AScatterToASlowPeerDoesNotKeepOtherScattersWaiting()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(new LoopbackOptions { Name = "", QueueDepth = 64 });
        await using TransferEngine third = EnginePair.Build(pair.Network, new LoopbackOptions { Name = "third" });
        await using TransferEngine fourth = EnginePair.Build(pair.Network, new LoopbackOptions { Name = "fourth" });
        RemoteRegion atThird = (await pair.Sender.ConnectAsync(third.Address, EnginePair.Limit)).Import(third.Register(pair.DestinationBuffer).Export());
        RemoteRegion atFourth = (await pair.Sender.ConnectAsync(fourth.Address, EnginePair.Limit)).Import(fourth.Register(pair.DestinationBuffer).Export());
        pair.Network.HoldDeliveries("receiver");
        // Several destinations each, so that both wait in the queue of scatters; the first is stuck at the held one.
        Transfer stuck = pair.Sender.SubmitScatter(pair.Source, Targets(pair.Destination, atThird));
        Transfer free = pair.Sender.SubmitScatter(pair.Source, Targets(atThird, atFourth));
        await free.Ended();
        Assert.False(stuck.IsCompleted);
        pair.Network.ReleaseDeliveries("receiver");
        await stuck.Ended();

        static ScatterTarget[] Targets(RemoteRegion first, RemoteRegion second) =>
            [.. Enumerable.Range(0, 200).Select(i => new ScatterTarget((i % 2 == 0 ? first : second).Handle, Immediate.None, i * 8, i * 8, 8))];
    }
}
