using System.Buffers.Binary;
using Garden.Fabric;
using Garden.Fabric.Loopback;

namespace Garden.Core.Tests.Engine;

public sealed class ConnectionTests
{
    [Fact]
    public async Task H1_ALostHelloIsRepeatedUntilTheDeadline()
    {
        var network = new LoopbackNetwork();
        await using TransferEngine early = EnginePair.Build(network, new LoopbackOptions { Name = "early" });
        var address = new NetAddress("loopback", ["late/0"]);
        Task<Peer> connecting = early.ConnectAsync(address, EnginePair.Limit).AsTask();
        // Nobody is there yet: the first hellos are lost.
        await Wait.UntilAsync(() => early.Devices[0].GetStatistics()[0].MessagesSent >= 2, "two hellos");
        await using TransferEngine late = EnginePair.Build(network, new LoopbackOptions { Name = "late" });
        Peer peer = await connecting.WaitAsync(EnginePair.Limit);
        Assert.Equal(PeerState.Ready, peer.State);
        Assert.Equal(late.Id, peer.EngineId);
    }

    [Fact]
    public async Task H3_ConnectingToNobodyEndsAtTheDeadlineWithTheAddress()
    {
        await using TransferEngine engine = EnginePair.Build(new LoopbackNetwork(), new LoopbackOptions { Name = "alone" });
        PeerFailedException failure = await Assert.ThrowsAsync<PeerFailedException>(() =>
            engine.ConnectAsync(new NetAddress("loopback", ["nobody/0"]), TimeSpan.FromMilliseconds(100)).AsTask().WaitAsync(EnginePair.Limit));
        Assert.Contains("nobody/0", failure.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<FabricException>(() => engine.ConnectAsync(new NetAddress("verbs", ["mlx5_0"])).AsTask());
    }

    [Fact]
    public async Task T4_AnotherProtocolVersionIsRefusedWithBothVersions()
    {
        var network = new LoopbackNetwork();
        await using TransferEngine engine = EnginePair.Build(network, new LoopbackOptions { Name = "engine" });
        using var signal = new Garden.Testing.TestSignal();
        using IFabricDomain raw = new LoopbackFabric(network, new LoopbackOptions { Name = "raw" }).Open(new FabricOpenContext(1, 0, signal))[0];
        byte[] body = new HelloBody(7, 99, 1, "loopback://raw/0", "").ToBytes();
        byte[] hello = new byte[ControlHeader.Length + body.Length];
        new ControlHeader(9, ControlKind.Hello, ControlHeader.NoPeer, 0, 0).Write(hello);
        body.CopyTo(hello, ControlHeader.Length);
        Assert.True(raw.TrySend(raw.OpenRoute("engine/0"), hello, 0));

        var completions = new FabricCompletion[8];
        string? refusal = null;
        await Wait.UntilAsync(
            () =>
            {
                int count = raw.Poll(completions);
                for (int i = 0; i < count; i++)
                    refusal ??= TakeRefusal(raw, completions[i]);
                return refusal is not null;
            },
            "the refusal");
        Assert.Contains("version 9 is not 1", refusal, StringComparison.Ordinal);
        Assert.Empty(engine.Peers);
    }

    [Fact]
    public async Task AdmissionNeedsTheSecretAndThePlaceOnTheList()
    {
        var network = new LoopbackNetwork();
        await using TransferEngine guarded = EnginePair.Build(network, new LoopbackOptions { Name = "guarded" }, options =>
        {
            options.SharedSecret = "sesame";
            options.Admit = static address => address.Nics[0].StartsWith("friend", StringComparison.Ordinal);
        });
        await using TransferEngine stranger = EnginePair.Build(network, new LoopbackOptions { Name = "stranger" });
        await using TransferEngine unlisted = EnginePair.Build(network, new LoopbackOptions { Name = "unlisted" }, options => options.SharedSecret = "sesame");
        await using TransferEngine friend = EnginePair.Build(network, new LoopbackOptions { Name = "friend" }, options => options.SharedSecret = "sesame");
        Assert.Contains("secret is wrong", (await Refused(stranger)).Message, StringComparison.Ordinal);
        Assert.Contains("not on the list", (await Refused(unlisted)).Message, StringComparison.Ordinal);
        Assert.Equal(PeerState.Ready, (await friend.ConnectAsync(guarded.Address, EnginePair.Limit)).State);

        Task<PeerFailedException> Refused(TransferEngine engine) =>
            Assert.ThrowsAsync<PeerFailedException>(() => engine.ConnectAsync(guarded.Address, EnginePair.Limit).AsTask());
    }

    [Fact]
    public async Task HellosThatCannotBeServedAreRefusedAndFaultNobody()
    {
        var network = new LoopbackNetwork();
        await using TransferEngine engine = EnginePair.Build(network, new LoopbackOptions { Name = "engine" }, options =>
        {
            options.MaxPeers = 1;
            options.MaxNumbers = 1;
        });
        await using TransferEngine first = EnginePair.Build(network, new LoopbackOptions { Name = "first" });
        await using TransferEngine second = EnginePair.Build(network, new LoopbackOptions { Name = "second" });
        Peer peer = await first.ConnectAsync(engine.Address, EnginePair.Limit);
        PeerFailedException full = await Assert.ThrowsAsync<PeerFailedException>(() => second.ConnectAsync(engine.Address, EnginePair.Limit).AsTask());
        Assert.Contains("has 1 peers already", full.Message, StringComparison.Ordinal);
        // Abort notices for numbers nobody has asked for, more than there is room for.
        for (uint number = 1; number < 5; number++)
            first.NotifyAbort(peer, Immediate.FromNumber(number), "on purpose");

        using var signal = new Garden.Testing.TestSignal();
        using IFabricDomain raw = new LoopbackFabric(network, new LoopbackOptions { Name = "raw" }).Open(new FabricOpenContext(1, 0, signal))[0];
        int route = raw.OpenRoute("engine/0");
        long dropped = engine.GetStatistics().MessagesDropped;
        foreach (string address in new[] { "loopback://no-nic-number", "loopback://a/99", "verbs://mlx5_0", "" })
        {
            byte[] body = new HelloBody(7, 99, 1, address, "").ToBytes();
            byte[] hello = new byte[ControlHeader.Length + body.Length];
            new ControlHeader(ControlHeader.ProtocolVersion, ControlKind.Hello, ControlHeader.NoPeer, 0, 0).Write(hello);
            body.CopyTo(hello, ControlHeader.Length);
            Assert.True(raw.TrySend(route, hello, 0));
        }

        await Wait.UntilAsync(() => engine.GetStatistics().MessagesDropped >= dropped + 4, "four hellos dropped");
        await first.SubmitImmediate(peer, Immediate.FromNumber(1)).Ended();
        Assert.Null(engine.Failure);
    }

    [Fact]
    public async Task AConnectionThatWasGivenUpDoesNotHarmTheOneThatLives()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(configure: options => options.HeartbeatInterval = TimeSpan.FromMilliseconds(300));
        pair.Network.HoldDeliveries("sender");
        await Assert.ThrowsAsync<PeerFailedException>(() => pair.Sender.ConnectAsync(pair.Receiver.Address, TimeSpan.FromMilliseconds(60)).AsTask());
        await Wait.UntilAsync(() => pair.Receiver.Peers.Count == 2, "the receiver's half of the second connection");
        pair.Network.ReleaseDeliveries("sender");
        await Wait.UntilAsync(() => pair.Receiver.Peers.Count == 1, "the disowned half is gone");
        await pair.Sender.SubmitImmediate(pair.Peer, Immediate.FromNumber(9)).Ended();
        await pair.Receiver.GetCounter(9).Reaches(1);
        Assert.Equal(PeerState.Ready, pair.Peer.State);
    }

    [Fact]
    public async Task GarbageMessagesAreDroppedAndCounted()
    {
        var network = new LoopbackNetwork();
        await using TransferEngine engine = EnginePair.Build(network, new LoopbackOptions { Name = "engine" });
        using var signal = new Garden.Testing.TestSignal();
        using IFabricDomain raw = new LoopbackFabric(network, new LoopbackOptions { Name = "raw" }).Open(new FabricOpenContext(1, 0, signal))[0];
        int route = raw.OpenRoute("engine/0");
        var random = new Random(11);
        var completions = new FabricCompletion[64];
        byte[] template = new byte[64];
        new ControlHeader(1, ControlKind.Hello, 0, 0, 0).Write(template);
        const int Count = 600;
        for (int i = 0; i < Count; i++)
        {
            byte[] message = new byte[random.Next(64)];
            random.NextBytes(message);
            // Half of them with a good header and any kind, so that every parser behind it is met.
            if (i % 2 == 0)
            {
                template.AsSpan(0, Math.Min(message.Length, 3)).CopyTo(message);
                if (message.Length > 3)
                    message[3] = (byte)random.Next(10);
            }

            await Wait.UntilAsync(() =>
            {
                int polled = raw.Poll(completions);
                for (int c = 0; c < polled; c++)
                {
                    if (completions[c].Kind == FabricCompletionKind.Message)
                        raw.ReturnMessage(in completions[c]);
                }

                return raw.TrySend(route, message, 0);
            }, "room to send");
        }

        await Wait.UntilAsync(() => engine.GetStatistics().MessagesDropped >= Count, "all garbage dropped");
        Assert.Null(engine.Failure);
    }

    [Fact]
    public async Task BothSidesMayConnectAtOnceAndConnectAgain()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        Peer back = await pair.Receiver.ConnectAsync(pair.Sender.Address, EnginePair.Limit);
        Peer second = await pair.Sender.ConnectAsync(pair.Receiver.Address, EnginePair.Limit);
        // Each connection with an address, whoever began it, is an epoch.
        Assert.Equal(pair.Peer.Epoch + 2, second.Epoch);
        await pair.Receiver.SubmitImmediate(back, Immediate.FromNumber(4)).Ended();
        await pair.Sender.SubmitImmediate(second, Immediate.FromNumber(4)).Ended();
        await pair.Sender.GetCounter(4).Reaches(1);
        await pair.Receiver.GetCounter(4).Reaches(1);
    }

    [Fact]
    public async Task ClosingTellsTheOtherSide()
    {
        await using EnginePair pair = await EnginePair.CreateAsync();
        var ended = new TaskCompletionSource<PeerFailedException>();
        using IDisposable registration = pair.Receiver.OnPeerFailed((_, failure) => ended.TrySetResult(failure));
        await pair.Peer.CloseAsync();
        Assert.Equal(PeerState.Closed, pair.Peer.State);
        Assert.Contains("goodbye", (await ended.Task.WaitAsync(EnginePair.Limit)).Message, StringComparison.Ordinal);
        Assert.Throws<PeerFailedException>(() => pair.Sender.SubmitImmediate(pair.Peer, Immediate.FromNumber(1)));
    }

    [Fact]
    public async Task ASilentPeerFailsAfterItsHeartbeats()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(configure: options => options.HeartbeatInterval = TimeSpan.FromMilliseconds(50));
        var failed = new TaskCompletionSource<PeerFailedException>();
        using IDisposable registration = pair.Sender.OnPeerFailed((_, failure) => failed.TrySetResult(failure));
        pair.Network.HoldDeliveries("sender");
        Assert.Contains("heartbeats missed", (await failed.Task.WaitAsync(EnginePair.Limit)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task APeerWhoseWritesArriveIsHeard()
    {
        // No heartbeat before the test is over.
        await using EnginePair pair = await EnginePair.CreateAsync(configure: static options => options.HeartbeatInterval = TimeSpan.FromDays(1));
        await Wait.UntilAsync(() => pair.Receiver.Peers is { Count: 1 } peers && peers.Single().State == PeerState.Ready, "the receiver knows its peer");
        Peer sender = pair.Receiver.Peers.Single();
        using ImmCounter allocated = pair.Receiver.AllocateCounter(), number = pair.Receiver.GetCounter(4);
        foreach (ImmCounter counter in (ImmCounter[])[allocated, number])
        {
            long before = sender.LastHeard -= System.Diagnostics.Stopwatch.Frequency;
            await pair.Sender.SubmitImmediate(pair.Peer, counter.Immediate).Ended();
            await counter.Reaches(1);
            Assert.True(sender.LastHeard > before, $"{counter.Immediate} was no sign of life");
        }
    }

    [Fact]
    public async Task H2_APeerThatWasGivenUpIsFencedAndMayConnectAgain()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(configure: options => options.HeartbeatInterval = TimeSpan.FromMilliseconds(50));
        pair.Network.Partition("sender", "receiver");
        await Wait.UntilAsync(() => pair.Peer.State == PeerState.Failed && pair.Receiver.Peers.Count == 0, "both sides give up");
        pair.Network.Heal("sender", "receiver");
        Peer again = await pair.Sender.ConnectAsync(pair.Receiver.Address, EnginePair.Limit);
        Assert.Equal(2, again.Epoch);
        await pair.Sender.SubmitImmediate(again, Immediate.FromNumber(4)).Ended();
        await pair.Receiver.GetCounter(4).Reaches(1);
    }

    private static string? TakeRefusal(IFabricDomain domain, FabricCompletion completion)
    {
        if (completion.Kind != FabricCompletionKind.Message)
            return null;
        string text = Read(completion);
        domain.ReturnMessage(in completion);
        return text;
    }

    private static unsafe string Read(FabricCompletion completion)
    {
        var bytes = new ReadOnlySpan<byte>((void*)completion.Message, completion.MessageLength);
        Assert.Equal((byte)ControlKind.Refuse, bytes[3]);
        Assert.Equal(7u, BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]));
        return System.Text.Encoding.UTF8.GetString(bytes[ControlHeader.Length..]);
    }
}
