using Garden.Fabric;
using Garden.Fabric.Loopback;
using Garden.Testing;

namespace Garden.Core.Tests.Loopback;

public class LoopbackFaultTests
{
    [Fact]
    public void HeldDeliveriesStayInFlightUntilReleased()
    {
        using var pair = new LoopbackPair();
        pair.A.Buffer.Span(0, 64).Fill(1);
        pair.Network.HoldDeliveries("b");
        pair.A.Post(pair.A.Write(pair.There, 0, pair.B, 0, 64, immediate: 3));
        Assert.True(pair.A.Domain.TrySend(pair.There, [9], 1));
        pair.Both(50);
        Assert.Equal(0, pair.A.EndedTotal);
        Assert.Equal(0, pair.B.ImmediateTotal);
        Assert.Empty(pair.B.Messages);
        Assert.Equal(0, pair.B.Buffer.Span(0, 1)[0]);
        Assert.True(pair.A.Domain.TryArm(out long due));
        Assert.Equal(long.MaxValue, due);

        long wakes = pair.A.Signal.Wakes;
        pair.Network.ReleaseDeliveries("b");
        Assert.True(pair.A.Signal.Wakes > wakes, "The sender was not woken by the release.");
        pair.Until(() => pair.B.ImmediateTotal == 1 && pair.B.Messages.Count == 1 && pair.A.EndedTotal == 1);
        Assert.Equal(1, pair.B.Buffer.Span(63, 1)[0]);
    }

    [Theory]
    [InlineData("fence", FabricStatus.RouteDown)]
    [InlineData("unregister", FabricStatus.RemoteAccess)]
    [InlineData("unregister source", FabricStatus.LocalAccess)]
    [InlineData("close route", FabricStatus.Flushed)]
    [InlineData("dispose", FabricStatus.RouteDown)]
    [InlineData("kill", FabricStatus.RouteDown)]
    [InlineData("partition", FabricStatus.RouteDown)]
    [InlineData("fail remote", FabricStatus.RouteDown)]
    [InlineData("fail local", FabricStatus.NicDown)]
    public void L8_WhatIsInFlightEndsWithoutLanding(string fault, FabricStatus expected)
    {
        using var pair = new LoopbackPair();
        pair.A.Buffer.Span(0, 256).Fill(0xff);
        pair.Network.HoldDeliveries("b/0");
        for (int i = 0; i < 10; i++)
            pair.A.Post(pair.A.Write(pair.There, 0, pair.B, i * 16, 16, immediate: 3));
        switch (fault)
        {
            case "fence":
                pair.B.Domain.FencePeer(pair.Back);
                // Letting the peer in again does not let in what it sent before.
                pair.B.Domain.OpenRoute("a/0");
                break;
            case "unregister":
                pair.B.Domain.Unregister(pair.B.Keys);
                break;
            case "unregister source":
                pair.A.Domain.Unregister(pair.A.Keys);
                break;
            case "close route":
                pair.A.Domain.CloseRoute(pair.There);
                break;
            case "dispose":
                pair.B.Domain.Dispose();
                break;
            case "kill":
                pair.Network.KillDevice("b");
                break;
            case "partition":
                pair.Network.Partition("a", "b/0");
                break;
            case "fail remote":
                pair.Network.FailNic("b/0");
                break;
            default:
                pair.Network.FailNic("a/0");
                break;
        }

        if (fault != "dispose")
            pair.Network.ReleaseDeliveries("b");
        Deadline.Default.PollUntil(() => pair.A.EndedTotal == 10, () => pair.A.Step(), pair.A.ToString);
        Assert.Equal(10, pair.A.Ended[expected]);
        Assert.False(pair.B.Buffer.Span(0, 256).ContainsAnyExcept((byte)0));
        if (fault != "dispose")
            pair.B.Step();
        Assert.Empty(pair.B.Order);
    }

    [Fact]
    public void H2_KilledDeviceIsSilentAndOthersGoOn()
    {
        using var pair = new LoopbackPair();
        FabricEndpoint[] c = pair.Harness.Open("c", 2);
        int toC = pair.A.Domain.OpenRoute("c/1");
        pair.Network.KillDevice(new NetAddress("loopback", ["b/0"]));

        pair.A.Post(pair.A.Write(pair.There, 0, pair.B, 0, 8, immediate: 1));
        Assert.True(pair.A.Domain.TrySend(pair.There, [1], 5));
        pair.A.Post(pair.A.Write(toC, 0, c[1], 0, 8, immediate: 2));
        pair.B.Post(pair.B.Write(pair.Back, 0, pair.A, 0, 8, immediate: 4));
        pair.Until(() => pair.A.EndedTotal == 2 && pair.B.EndedTotal == 1 && c[1].Step() + c[1].ImmediateTotal > 0);
        Assert.Equal(1, pair.A.Ended[FabricStatus.RouteDown]);
        Assert.Equal(1, pair.A.Ended[FabricStatus.Ok]);
        Assert.Equal(1, pair.A.Sent[FabricStatus.RouteDown]);
        Assert.Equal(1, pair.A.FailedRoutes);
        Assert.Equal(1, pair.B.Ended[FabricStatus.RouteDown]);
        Assert.Equal(0, pair.B.FailedDomain);
        Assert.Empty(pair.A.Order);
    }

    [Fact]
    public void PartitionCutsBothWaysAndHeals()
    {
        using var pair = new LoopbackPair();
        pair.Network.Partition("b", "a");
        pair.A.Post(pair.A.Write(pair.There, 0, pair.B, 0, 8, immediate: 1));
        pair.B.Post(pair.B.Write(pair.Back, 0, pair.A, 0, 8, immediate: 1));
        pair.Until(() => pair.A.EndedTotal == 1 && pair.B.EndedTotal == 1);
        Assert.Equal(1, pair.A.Ended[FabricStatus.RouteDown]);
        Assert.Equal(1, pair.B.Ended[FabricStatus.RouteDown]);
        Assert.Equal(0, pair.A.FailedRoutes);

        pair.Network.Heal("a", "b");
        pair.A.Post(pair.A.Write(pair.There, 0, pair.B, 0, 8, immediate: 2));
        pair.Until(() => pair.B.ImmediateTotal == 1);
        Assert.Throws<ArgumentException>(() => pair.Network.Heal("a", "b"));
    }

    [Fact]
    public void FailedNicTellsItsParkedOwner()
    {
        using var pair = new LoopbackPair();
        pair.A.Signal.Reset();
        Assert.True(pair.A.Domain.TryArm(out _));
        pair.Network.FailNic("a/0");
        Assert.True(pair.A.Signal.Park(Deadline.Default));
        Assert.False(pair.A.Domain.TryArm(out _));
        pair.Both(3);
        Assert.Equal(1, pair.A.FailedDomain);
        Assert.True(pair.A.Domain.TryArm(out _));
    }

    [Fact]
    public void L9_RestartedPeerIsAnotherPeer()
    {
        using var pair = new LoopbackPair();
        pair.A.Post(pair.A.Write(pair.There, 0, pair.B, 0, 8));
        RegionKeys old = pair.B.Keys;
        pair.B.Domain.Dispose();
        FabricEndpoint again = pair.Harness.Open("b")[0];

        FabricWrite stale = pair.A.Write(pair.There, 0, again, 0, 8, immediate: 1);
        pair.A.Post(stale);
        int route = pair.A.Domain.OpenRoute("b/0");
        FabricWrite oldKey = pair.A.Write(route, 0, again, 0, 8, immediate: 2);
        oldKey.RemoteKey = old.RemoteKey;
        oldKey.RemoteAddress = old.RemoteBase;
        pair.A.Post(oldKey);
        pair.A.Post(pair.A.Write(route, 0, again, 0, 8, immediate: 3));
        Deadline.Default.PollUntil(() => pair.A.EndedTotal == 4 && again.Step() + again.ImmediateTotal > 0, () => pair.A.Step(), pair.A.ToString);
        Assert.Equal(1, pair.A.Ended[FabricStatus.RouteDown]);
        Assert.Equal(1, pair.A.Ended[FabricStatus.RemoteAccess]);
        Assert.Equal([3u], again.Order);
    }

    [Fact]
    public void L8_RouteFromBeforeAFenceStaysDeadAfterTheWayIsOpenedAgain()
    {
        using var pair = new LoopbackPair();
        pair.B.Domain.FencePeer(pair.Back);
        pair.B.Domain.OpenRoute("a/0");
        pair.A.Post(pair.A.Write(pair.There, 0, pair.B, 0, 8, immediate: 1));
        pair.Until(() => pair.A.EndedTotal == 1 && pair.A.FailedRoutes == 1);
        Assert.Equal(1, pair.A.Ended[FabricStatus.RouteDown]);
        int route = pair.A.Domain.OpenRoute("b/0");
        pair.A.Post(pair.A.Write(route, 0, pair.B, 0, 8, immediate: 2));
        pair.Until(() => pair.B.ImmediateTotal == 1);
        Assert.Equal([2u], pair.B.Order);
    }

    [Fact]
    public void RouteOpenedBeforeItsPeerWorksOnceThePeerIsThere()
    {
        using var harness = new LoopbackHarness();
        FabricEndpoint a = harness.Open("a")[0];
        int route = a.Domain.OpenRoute("b/0");
        FabricEndpoint b = harness.Open("b")[0];
        a.Post(a.Write(route, 0, b, 0, 8, immediate: 3));
        Deadline.Default.PollUntil(() => b.ImmediateTotal == 1, () => b.Step(), b.ToString);
    }

    [Fact]
    public void MistakesAreExplained()
    {
        using var pair = new LoopbackPair();
        Assert.Contains("a/0, b/0", Assert.Throws<ArgumentException>(() => pair.Network.FailNic("x/0")).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => pair.Network.HoldDeliveries("a/"));
        FabricException taken = Assert.Throws<FabricException>(() => pair.Harness.Open("a"));
        Assert.Contains("\"a/0\" is attached", taken.Message, StringComparison.Ordinal);
        Assert.Throws<FabricException>(() => pair.A.Domain.Register(4096, 4096, MemoryKind.Cuda));
        Assert.Throws<FabricException>(() => pair.A.Domain.Register(4096, 0, MemoryKind.Host));
        Assert.Throws<InvalidOperationException>(() => pair.A.Domain.ReturnMessage(default));
    }

    [Fact]
    public void T1_NamesAndMemoryComeBackAfterDispose()
    {
        var network = new LoopbackNetwork();
        for (int i = 0; i < 1000; i++)
        {
            using var signal = new TestSignal();
            IReadOnlyList<IFabricDomain> domains = new LoopbackFabric(network, LoopbackPair.Template with { Name = "again", Nics = 2 })
                .Open(new FabricOpenContext(1, i & 1, signal));
            Assert.Equal((i & 1) == 0 ? "again/1" : "again.1/1", domains[1].Address);
            domains[0].OpenRoute(domains[1].Address);
            foreach (IFabricDomain domain in domains)
                domain.Dispose();
        }

        Assert.Empty(network.Addresses);
    }
}
