using Garden.Fabric;

namespace Garden.Testing;

public abstract partial class FabricConformance
{
    [Theory]
    [InlineData("bad key")]
    [InlineData("zero key")]
    [InlineData("before")]
    [InlineData("behind")]
    [InlineData("wraps")]
    [InlineData("revoked")]
    public void L9_WriteWithoutAccessWritesNothing(string how)
    {
        using FabricHarness harness = CreateHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        a.Memory.Fill(0, 4096, 0xff);
        FabricWrite write = a.Write(route, 0, b, 0, 4096, immediate: 5);
        if (how == "revoked")
            b.Domain.Unregister(b.Keys);
        write.RemoteKey = how switch { "bad key" => ~write.RemoteKey, "zero key" => 0, _ => write.RemoteKey };
        write.RemoteAddress = how switch
        {
            "before" => write.RemoteAddress - 1,
            "behind" => write.RemoteAddress + (ulong)b.Memory.Length - 4095,
            "wraps" => ulong.MaxValue - 5,
            _ => write.RemoteAddress,
        };
        a.Post(write);
        if (a.Domain.Capabilities.TellsRefusedWrites)
        {
            AwaitFailure(a, b);
            Assert.False(a.Ended.ContainsKey(FabricStatus.Ok));
        }
        else
        {
            // Nothing tells; what comes behind it on an ordered lane shows that it was dealt with, and that it harmed nothing.
            a.Post(new FabricWrite { Route = route, Immediate = 6, Context = 2 });
            Deadline.Default.PollUntil(() => b.Immediates.ContainsKey(6), () => Both(a, b), () => $"{a} / {b}");
        }

        Assert.False(b.Memory.Read(0, (int)b.Memory.Length).ContainsAnyExcept((byte)0));
        Assert.False(b.Immediates.ContainsKey(5));
    }

    [Fact]
    public void WriteFromUnregisteredMemoryFails()
    {
        using FabricHarness harness = CreateHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        FabricWrite write = a.Write(route, 0, b, 0, 64, immediate: 5);
        write.LocalKey = ~write.LocalKey;
        a.Post(write);
        AwaitFailure(a, b);
        Assert.Empty(b.Order);
    }

    [Fact]
    public void NegativeLengthIsReportedAsFailed()
    {
        using FabricHarness harness = CreateHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        a.Post(a.Write(route, 0, b, 0, -1, immediate: 5));
        AwaitFailure(a, b);
        Assert.Empty(b.Order);
    }

    [Fact]
    public void H8_RouteToNobodyFailsWithAnError()
    {
        using FabricHarness harness = CreateHarness();
        FabricEndpoint a = harness.Open("a")[0];
        int route = a.Domain.OpenRoute(harness.AbsentAddress);
        a.Post(new FabricWrite { Route = route, Immediate = 1, Context = 1 });
        Assert.True(a.Domain.TrySend(route, [1], 2));
        Deadline.Default.PollUntil(() => a.EndedTotal == 1 && a.Sent.Values.Sum() == 1, () => a.Step(), a.ToString);
        Assert.Equal(1, a.EndedFailed);
        Assert.False(a.Sent.ContainsKey(FabricStatus.Ok));
    }

    [Fact]
    public void H8_RouteToNobodyTakesNoHarmWhenOthersLeave()
    {
        using FabricHarness harness = CreateHarness();
        FabricEndpoint a = harness.Open("a")[0];
        int route = a.Domain.OpenRoute(harness.AbsentAddress);
        long sent = 0;
        for (int i = 1; i <= 3; i++)
        {
            harness.Open($"b{i}")[0].Domain.Dispose();
            a.Post(new FabricWrite { Route = route, Immediate = 1, Context = (ulong)i });
            // Few fit into a small queue while nobody takes them.
            sent += a.Domain.TrySend(route, [1], (ulong)i) ? 1 : 0;
            a.Step();
        }

        Deadline.Default.PollUntil(() => a.EndedTotal == 3 && a.Sent.Values.Sum() == sent, () => a.Step(), a.ToString);
        Assert.Equal(3, a.EndedFailed);
        Assert.NotEqual(0, sent);
        Assert.False(a.Sent.ContainsKey(FabricStatus.Ok));
    }

    [Theory]
    [InlineData("")]
    [InlineData("no such address")]
    [InlineData("\u0000/0")]
    public void MalformedAddressIsRefused(string address)
    {
        using FabricHarness harness = CreateHarness();
        FabricEndpoint a = harness.Open("a")[0];
        Assert.Throws<DescriptorException>(() => a.Domain.OpenRoute(address));
    }

    [Fact]
    public void CloseRouteReportsWhatWasPosted()
    {
        using FabricHarness harness = CreateHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        FabricEndpoint c = harness.Open("c")[0];
        int other = a.Domain.OpenRoute(c.Domain.Address);
        for (int i = 0; i < 10; i++)
        {
            a.PostAll([a.Write(route, 0, b, 0, 1000, immediate: 1)], Deadline.Default, b, c);
            a.PostAll([a.Write(other, 0, c, 0, 1000, immediate: 2)], Deadline.Default, b, c);
        }

        a.Domain.CloseRoute(route);
        Deadline.Default.PollUntil(
            () => a.EndedTotal == a.Posted && c.ImmediateTotal == 10,
            () =>
            {
                Both(a, b);
                c.Step();
            },
            () => $"{a} / {b} / {c}");
        a.Post(a.Write(route, 0, b, 0, 8, immediate: 3));
        Deadline.Default.PollUntil(() => a.EndedTotal == a.Posted, () => Both(a, b), a.ToString);
        Assert.True(a.EndedFailed >= 1);
        Assert.False(b.Immediates.ContainsKey(3));
    }

    [Fact]
    public void L8_FencedPeerCannotWriteUntilItConnectsAgain()
    {
        using FabricHarness harness = CreateHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        if (!b.Domain.Capabilities.FencesPeers)
            Assert.Skip("This fabric cannot fence a peer out (FabricCapabilities.FencesPeers); its memory gets new keys instead.");
        int back = b.Domain.OpenRoute(a.Domain.Address);
        a.Memory.Fill(0, 4096, 0xff);
        for (int i = 0; i < 20; i++)
            a.PostAll([a.Write(route, 0, b, 0, 4096, immediate: 1)], Deadline.Default, b);

        b.Domain.FencePeer(back);
        b.Memory.Fill(0, 4096, 0);
        a.PostAll([a.Write(route, 0, b, 0, 4096, immediate: 2)], Deadline.Default, b);
        Deadline.Default.PollUntil(() => a.EndedTotal == a.Posted, () => Both(a, b), () => $"{a} / {b}");
        for (int i = 0; i < 100; i++)
            Both(a, b);
        Assert.False(b.Memory.Read(0, 4096).ContainsAnyExcept((byte)0));
        Assert.False(b.Immediates.ContainsKey(2));
        Assert.True(a.EndedFailed > 0 || a.FailedRoutes > 0, a.ToString());

        a.Domain.CloseRoute(route);
        route = a.Domain.OpenRoute(b.Domain.Address);
        a.PostAll([a.Write(route, 0, b, 0, 4096, immediate: 3)], Deadline.Default, b);
        Deadline.Default.PollUntil(() => b.Immediates.ContainsKey(3), () => Both(a, b), () => $"{a} / {b}");
        Assert.False(b.Memory.Read(0, 4096).ContainsAnyExcept((byte)0xff));
    }

    [Fact]
    public void H2_DisposedPeerEndsOperations()
    {
        using FabricHarness harness = CreateHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        for (int i = 0; i < 10; i++)
            a.PostAll([a.Write(route, 0, b, 0, 4096, immediate: 1)], Deadline.Default, b);
        b.Domain.Dispose();
        b.Domain.Dispose();
        b.Memory.Fill(0, 4096, 0);
        a.PostAll([a.Write(route, 0, b, 0, 4096, immediate: 1)], Deadline.Default);
        Deadline.Default.PollUntil(() => a.EndedTotal == a.Posted, () => a.Step(), a.ToString);
        Assert.True(a.EndedFailed >= 1);
        Assert.False(b.Memory.Read(0, 4096).ContainsAnyExcept((byte)0));
    }

    [Fact]
    public void T1_DisposeWithPostedWorkIsSafe()
    {
        using FabricHarness harness = CreateHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        for (int i = 0; i < 10; i++)
            a.Post(a.Write(route, 0, b, 0, 4096, immediate: 1));
        a.Domain.TrySend(route, [1, 2, 3], 1);
        a.Domain.Dispose();
        a.Domain.Unregister(a.Keys);
        for (int i = 0; i < 100; i++)
            b.Step();
        Assert.InRange(b.ImmediateTotal, 0, 10);
        Assert.Throws<ObjectDisposedException>(() => a.Domain.OpenRoute(b.Domain.Address));
    }

    [Fact]
    public void FailedNicReportsEverything()
    {
        using FabricHarness harness = CreateHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        for (int i = 0; i < 10; i++)
            a.PostAll([a.Write(route, 0, b, 0, 4096, immediate: 1)], Deadline.Default, b);
        if (!harness.TryFailNic(a))
            Assert.Skip("This fabric offers no way to fail a NIC.");
        a.PostAll([a.Write(route, 0, b, 0, 4096, immediate: 2)], Deadline.Default);
        Deadline.Default.PollUntil(() => a.EndedTotal == a.Posted && a.FailedDomain == 1, () => Both(a, b), a.ToString);
        Assert.True(a.Ended.GetValueOrDefault(FabricStatus.NicDown) >= 1, a.ToString());

        int back = b.Domain.OpenRoute(a.Domain.Address);
        b.Post(b.Write(back, 0, a, 0, 64));
        Deadline.Default.PollUntil(() => b.EndedTotal == b.Posted, () => Both(a, b), b.ToString);
        Assert.Equal(1, b.EndedFailed);
        Assert.False(b.Immediates.ContainsKey(2));
    }

    /// <summary>Waits for the one posted write to be told as failed, by itself or with its route.</summary>
    private static void AwaitFailure(FabricEndpoint a, FabricEndpoint b)
    {
        Deadline.Default.PollUntil(() => a.EndedTotal == 1 && (a.EndedFailed == 1 || a.FailedRoutes != 0), () => Both(a, b), () => $"{a} / {b}");
        for (int i = 0; i < 20; i++)
            Both(a, b);
        Assert.Equal(1, a.EndedTotal);
    }
}
