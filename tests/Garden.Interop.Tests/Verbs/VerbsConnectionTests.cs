using Garden.Fabric;
using Garden.Testing;

namespace Garden.Interop.Tests.Verbs;

/// <summary>What of an ended connection must not reach the next one.</summary>
public sealed class VerbsConnectionTests
{
    private static Deadline Patient => Deadline.In(TimeSpan.FromSeconds(60));

    [Fact]
    public void L8_AFenceHoldsAlsoForTheConnectionThatHasReplacedTheRoutes()
    {
        using var harness = new VerbsHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = VerbsDomainTests.Pair(harness);
        int back = ConnectBothWays(a, b, route);
        FabricWrite bad = a.Write(route, 0, b, 0, 64, context: 2);
        bad.RemoteKey ^= 0x5500;
        a.Post(bad);
        Patient.PollUntil(() => a.FailedRoutes == 1, () => a.Step(), a.ToString);
        a.Domain.CloseRoute(route);
        route = a.Domain.OpenRoute(b.Domain.Address);
        a.Post(a.Write(route, 0, b, 0, 64, immediate: 2));
        Await(a, b, () => b.Immediates.ContainsKey(2) && b.FailedRoutes == 1);

        b.Domain.FencePeer(back);
        b.Buffer.Span(0, 64).Clear();
        a.Post(a.Write(route, 0, b, 0, 64, immediate: 3));
        Await(a, b, () => a.FailedRoutes == 2 && a.EndedTotal == a.Posted);
        Assert.False(b.Immediates.ContainsKey(3));
        Assert.False(b.Buffer.Span(0, 64).ContainsAnyExcept((byte)0), "a fenced peer's write landed");
    }

    [Fact]
    public void WhatIsToldLateOfAClosedRouteIsNotTheNextOnes()
    {
        using var harness = new VerbsHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = VerbsDomainTests.Pair(harness);
        FabricEndpoint c = harness.Open("c")[0];
        int back = ConnectBothWays(a, b, route);
        b.Domain.FencePeer(back);
        b.Domain.CloseRoute(back);
        int next = b.Domain.OpenRoute(c.Domain.Address);
        Assert.NotEqual(back, next);
        var completions = new FabricCompletion[16];
        FabricCompletion[] told = completions[..b.Domain.Poll(completions)];
        Assert.Equal(back, Assert.Single(told, static one => one.Kind == FabricCompletionKind.RouteFailed).Route);
        b.Post(b.Write(back, 0, a, 0, 64, immediate: 8));
        b.Post(b.Write(next, 0, c, 0, 64, immediate: 9));
        Await(c, b, () => c.Immediates.ContainsKey(9) && b.EndedTotal == b.Posted);
        Assert.Equal(1, b.EndedFailed);
    }

    [Fact]
    public void H2_APeerConnectsAnewWhereAllPlacesAreTakenByWhatItLeftBehind()
    {
        using var harness = new VerbsHarness(static options => options with { MaxPeers = 1 });
        (FabricEndpoint a, FabricEndpoint b, int route) = VerbsDomainTests.Pair(harness);
        int back = ConnectBothWays(a, b, route);
        a.Domain.FencePeer(route);
        // To queue pairs that are gone: these stay with the NIC until its retries are over.
        for (int i = 0; i < 4; i++)
            b.Post(b.Write(back, 0, a, 0, 4096, immediate: 4));
        a.Domain.CloseRoute(route);
        route = a.Domain.OpenRoute(b.Domain.Address);
        a.Post(a.Write(route, 0, b, 0, 64, immediate: 5));
        Await(a, b, () => b.Immediates.ContainsKey(5) || a.FailedRoutes > 1);
        Assert.True(b.Immediates.ContainsKey(5), $"{a} / {b}");
        Await(a, b, () => b.EndedTotal == b.Posted);
        Assert.False(a.Immediates.ContainsKey(4));
    }

    [Fact]
    public void L8_AWriterThatDoesNotAnswerLosesItsConnectionBeforeItsKeyEnds()
    {
        using var harness = new VerbsHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = VerbsDomainTests.Pair(harness);
        ConnectBothWays(a, b, route);
        FabricWrite stale = a.Write(route, 0, b, 0, 4096, immediate: 6);
        // Nobody polls for a: it is stopped, as a process may be.
        b.Domain.Unregister(b.Keys);
        RegionKeys next = b.Domain.Register(b.Memory.Address, b.Memory.Length, b.Memory.Kind);
        Assert.NotEqual(b.Keys.RemoteKey, next.RemoteKey);
        // As if the device had given the number out again.
        stale.RemoteKey = next.RemoteKey;
        b.Buffer.Span(0, 4096).Clear();
        a.Post(stale);
        Await(a, b, () => a.FailedRoutes == 1 && b.FailedRoutes == 1 && a.EndedTotal == a.Posted);
        Assert.False(b.Immediates.ContainsKey(6));
        Assert.False(b.Buffer.Span(0, 4096).ContainsAnyExcept((byte)0), "a stale write landed in the next region");
    }

    /// <summary>Opens the way back and uses both.</summary>
    private static int ConnectBothWays(FabricEndpoint a, FabricEndpoint b, int route)
    {
        int back = b.Domain.OpenRoute(a.Domain.Address);
        a.Buffer.Span(0, 4096).Fill(0xff);
        a.Post(a.Write(route, 0, b, 0, 64, immediate: 1));
        b.Post(b.Write(back, 4096, a, 4096, 64, immediate: 1));
        Await(a, b, () => a.ImmediateTotal == 1 && b.ImmediateTotal == 1 && a.EndedTotal == 1 && b.EndedTotal == 1);
        return back;
    }

    private static void Await(FabricEndpoint a, FabricEndpoint b, Func<bool> condition) =>
        Patient.PollUntil(condition, () => VerbsDomainTests.Both(a, b), () => $"{a} / {b}");
}
