using Garden.Fabric;
using Garden.Interop.Verbs;
using Garden.Interop.Verbs.Native;
using Garden.Testing;

namespace Garden.Interop.Tests.Verbs;

/// <summary>What is particular to verbs: chains, gathering, windows, first causes, places for peers.</summary>
public sealed class VerbsDomainTests
{
    private static Deadline Patient => Deadline.In(TimeSpan.FromSeconds(60));

    [Fact]
    public void SourcePiecesOfOneTargetAreGatheredAndChainsShareADoorbell()
    {
        const int Pieces = 256, Bytes = 64;
        using var harness = new VerbsHarness(static options => options with { SourcePieces = 4, ChainLength = 16 });
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        Fill(a, 5);
        var writes = new FabricWrite[Pieces];
        // From places apart to places next to each other; the last one tells.
        for (int i = 0; i < Pieces; i++)
            writes[i] = a.Write(route, i * 3 * Bytes, b, i * Bytes, Bytes, immediate: i == Pieces - 1 ? 9u : 0);
        a.PostAll(writes, Patient, b);
        Patient.PollUntil(() => b.ImmediateTotal == 1 && a.EndedTotal == Pieces, () => Both(a, b), () => $"{a} / {b}");
        for (int i = 0; i < Pieces; i++)
            Assert.True(a.Buffer.Span(i * 3 * Bytes, Bytes).SequenceEqual(b.Buffer.Span(i * Bytes, Bytes)), $"piece {i} differs");
        var domain = (VerbsDomain)a.Domain;
        Assert.Equal(Pieces / 4, domain.RequestsPosted);
        Assert.Equal(Pieces / 4 / 16, domain.ChainsPosted);
    }

    [Fact]
    public void PiecesThatFollowEachOtherOnBothSidesAreOneAndAnImmediateEndsARequest()
    {
        using var harness = new VerbsHarness(static options => options with { SourcePieces = 1 });
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        Fill(a, 6);
        FabricWrite[] writes = [.. Enumerable.Range(0, 8).Select(i => a.Write(route, i * 1000, b, i * 1000, 1000, immediate: i % 4 == 3 ? (uint)i : 0))];
        a.PostAll(writes, Patient, b);
        Patient.PollUntil(() => b.ImmediateTotal == 2 && a.EndedTotal == 8, () => Both(a, b), () => $"{a} / {b}");
        Assert.True(a.Buffer.Span(0, 8000).SequenceEqual(b.Buffer.Span(0, 8000)));
        Assert.Equal([3u, 7u], b.Order);
        Assert.Equal(2, ((VerbsDomain)a.Domain).RequestsPosted);
    }

    [Fact]
    public void PiecesOfTargetsApartGoToTheirPlaces()
    {
        const int Pieces = 64, Bytes = 64;
        using var harness = new VerbsHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        Fill(a, 8);
        FabricWrite[] writes = [.. Enumerable.Range(0, Pieces).Select(i => a.Write(route, i * Bytes, b, (Pieces - i) * 3 * Bytes, Bytes, immediate: i == Pieces - 1 ? 9u : 0))];
        a.PostAll(writes, Patient, b);
        Patient.PollUntil(() => b.ImmediateTotal == 1 && a.EndedTotal == Pieces, () => Both(a, b), () => $"{a} / {b}");
        for (int i = 0; i < Pieces; i++)
        {
            Assert.True(a.Buffer.Span(i * Bytes, Bytes).SequenceEqual(b.Buffer.Span((Pieces - i) * 3 * Bytes, Bytes)), $"piece {i} differs");
            Assert.False(b.Buffer.Span(((Pieces - i) * 3 * Bytes) + Bytes, 2 * Bytes).ContainsAnyExcept((byte)0), $"bytes behind piece {i} were written");
        }
    }

    [Fact]
    public void H9_AReceiverThatDoesNotPollIsSentNoMoreThanItHasReceivesFor()
    {
        const int Window = 16, Count = 200;
        using var harness = new VerbsHarness(static options => options with { ImmediateWindow = Window });
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        a.Post(new FabricWrite { Route = route, Immediate = 1, Context = 1 });
        Patient.PollUntil(() => b.ImmediateTotal == 1, () => Both(a, b), () => $"{a} / {b}");
        var writes = new FabricWrite[Count];
        writes.AsSpan().Fill(new FabricWrite { Route = route, Immediate = 2, Context = 2 });
        Assert.Equal(Count, a.Post(writes));
        Patient.PollUntil(() => a.EndedTotal == Window, () => a.Step(), a.ToString);
        // More would be answered with "not ready" and fail after its retries: much longer than this.
        var settle = Deadline.In(TimeSpan.FromSeconds(1));
        while (!settle.IsOver)
            a.Step();
        Assert.Equal(Window, a.EndedTotal);
        Patient.PollUntil(() => b.ImmediateTotal == Count + 1 && a.EndedTotal == Count + 1, () => Both(a, b), () => $"{a} / {b}");
        Assert.Equal(Count + 1, a.Ended[FabricStatus.Ok]);
    }

    [Fact]
    public void H10_AMessageOvertakesItsPeersBulkData()
    {
        const int Writes = 24, Bytes = 1 << 20;
        using var harness = new VerbsHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        a.Post(a.Write(route, 0, b, 0, 64, immediate: 1));
        Patient.PollUntil(() => b.ImmediateTotal == 1, () => Both(a, b), () => $"{a} / {b}");
        for (int i = 0; i < Writes; i++)
            a.PostAll([a.Write(route, 0, b, 0, Bytes, immediate: 2)], Patient, b);
        Assert.True(a.Domain.TrySend(route, [1, 2, 3], 1));
        Patient.PollUntil(() => b.Messages.Count == 1, () => Both(a, b), () => $"{a} / {b}");
        Assert.True(b.ImmediateTotal < Writes / 2, $"the message came behind {b.ImmediateTotal - 1} of {Writes} bulk writes");
        Patient.PollUntil(() => b.ImmediateTotal == Writes + 1, () => Both(a, b), () => $"{a} / {b}");
    }

    [Theory]
    [InlineData((int)WorkKind.ImmediateReceive, IBV.IBV_WC_RECV_RDMA_WITH_IMM)]
    [InlineData((int)WorkKind.MessageReceive, IBV.IBV_WC_RECV)]
    [InlineData((int)WorkKind.Write, 0)]
    [InlineData((int)WorkKind.Message, 0)]
    [InlineData((int)WorkKind.Credit, 0)]
    public unsafe void T2_OfAFailedCompletionOnlyItsStatusAndWorkIdAreBelieved(int kind, int opcode)
    {
        using var harness = new VerbsHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        a.Post(a.Write(route, 0, b, 0, 64, immediate: 1));
        Patient.PollUntil(() => b.ImmediateTotal == 1, () => Both(a, b), () => $"{a} / {b}");
        var domain = (VerbsDomain)b.Domain;
        VerbsConnection connection = domain.Connections.Single();
        // All fields say that something came; the status says that it did not.
        var entry = new ibv_wc
        {
            wr_id = WorkId.Pack((WorkKind)kind, 0, uint.MaxValue),
            status = IBV.IBV_WC_WR_FLUSH_ERR,
            opcode = opcode,
            qp_num = kind == (int)WorkKind.MessageReceive ? connection.Control.Number : connection.Data.Number,
            byte_len = uint.MaxValue,
            imm_data = 0x01020304,
        };
        domain.Handle(&entry);
        a.Post(a.Write(route, 0, b, 0, 64, immediate: 2));
        Patient.PollUntil(() => b.Immediates.ContainsKey(2), () => Both(a, b), () => $"{a} / {b}");
        Assert.Equal([1u, 2u], b.Order);
        Assert.Empty(b.Messages);
        Assert.Equal(0, a.FailedRoutes + b.FailedRoutes);
    }

    [Fact]
    public void T5_TheFirstCauseIsKeptOthersAreFoldedIntoItAndOtherPeersGoOn()
    {
        using var harness = new VerbsHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        FabricEndpoint c = harness.Open("c")[0];
        int other = a.Domain.OpenRoute(c.Domain.Address);
        a.Post(a.Write(route, 0, b, 0, 64, immediate: 1));
        Patient.PollUntil(() => b.ImmediateTotal == 1 && a.EndedTotal == 1, () => Both(a, b), () => $"{a} / {b}");
        FabricWrite bad = a.Write(route, 0, b, 0, 64, context: 2);
        bad.RemoteKey ^= 0x5500;
        FabricWrite[] writes = [bad, .. Enumerable.Range(0, 40).Select(i => a.Write(route, i * 64, b, 8192 + (i * 128), 64, immediate: 7, context: 3))];
        var ended = new List<FabricCompletion>();
        a.Domain.PostWrites(writes);
        var completions = new FabricCompletion[64];
        Patient.PollUntil(
            () => ended.Where(static one => one.Kind == FabricCompletionKind.Write).Sum(static one => one.Count) == writes.Length && ended.Exists(static one => one.Kind == FabricCompletionKind.RouteFailed),
            () =>
            {
                ended.AddRange(completions[..a.Domain.Poll(completions)]);
                b.Step();
            },
            () => $"{ended.Count} ended: {string.Join(", ", ended.Select(static one => (one.Kind, one.Status, one.Count)))}");
        FabricCompletion first = ended.First(static one => one.Kind == FabricCompletionKind.Write);
        Assert.Equal((2UL, FabricStatus.RemoteAccess, IBV.IBV_WC_REM_ACCESS_ERR), (first.Context, first.Status, first.ProviderCode));
        Assert.All(ended.Where(static one => one is { Kind: FabricCompletionKind.Write, Context: 3 }), one =>
        {
            Assert.Equal(FabricStatus.Flushed, one.Status);
            Assert.Equal(IBV.IBV_WC_REM_ACCESS_ERR, one.ProviderCode);
        });
        Assert.Equal(FabricStatus.RemoteAccess, ended.Single(static one => one.Kind == FabricCompletionKind.RouteFailed).Status);
        Assert.Contains("new one", a.Domain.Explain(first.Status, first.ProviderCode), StringComparison.Ordinal);

        a.Post(a.Write(other, 0, c, 0, 64, immediate: 4));
        Patient.PollUntil(() => c.ImmediateTotal == 1, () => Both(a, c), () => $"{a} / {c}");
        a.Domain.CloseRoute(route);
        route = a.Domain.OpenRoute(b.Domain.Address);
        a.Post(a.Write(route, 0, b, 0, 64, immediate: 5));
        Patient.PollUntil(() => b.Immediates.ContainsKey(5), () => Both(a, b), () => $"{a} / {b}");
    }

    [Fact]
    public void H2_APeerThatConnectsAnewReplacesItsConnection()
    {
        using var harness = new VerbsHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        int back = b.Domain.OpenRoute(a.Domain.Address);
        for (uint round = 1; round <= 5; round++)
        {
            a.Post(a.Write(route, 0, b, 0, 64, immediate: round));
            b.Post(b.Write(back, 0, a, 0, 64, immediate: round));
            Patient.PollUntil(() => b.Immediates.ContainsKey(round) && a.Immediates.ContainsKey(round), () => Both(a, b), () => $"round {round}: {a} / {b}");
            a.Domain.FencePeer(route);
            a.Domain.CloseRoute(route);
            route = a.Domain.OpenRoute(b.Domain.Address);
            a.Post(a.Write(route, 0, b, 0, 64, immediate: 100 + round));
            Patient.PollUntil(() => b.Immediates.ContainsKey(100 + round) && b.FailedRoutes == round, () => Both(a, b), () => $"round {round}: {a} / {b}");
            b.Domain.CloseRoute(back);
            back = b.Domain.OpenRoute(a.Domain.Address);
        }
    }

    [Fact]
    public void WithoutAPlaceForAPeerItIsRefusedAndAnUnusedPlaceIsGivenAway()
    {
        using var harness = new VerbsHarness(static options => options with { MaxPeers = 1 });
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        FabricEndpoint c = harness.Open("c")[0];
        int held = b.Domain.OpenRoute(a.Domain.Address);
        a.Post(a.Write(route, 0, b, 0, 64, immediate: 1));
        b.Post(b.Write(held, 0, a, 0, 64, immediate: 1));
        Patient.PollUntil(() => b.ImmediateTotal == 1 && a.ImmediateTotal == 1, () => Both(a, b), () => $"{a} / {b}");
        int third = c.Domain.OpenRoute(b.Domain.Address);
        c.Post(c.Write(third, 0, b, 0, 64, immediate: 2));
        Patient.PollUntil(() => c.FailedRoutes == 1, () => Both(c, b), () => $"{c} / {b}");
        Assert.Contains("MaxPeers", c.Domain.Explain(FabricStatus.RouteDown, VerbsErrors.Reset), StringComparison.Ordinal);

        b.Domain.CloseRoute(held);
        c.Domain.CloseRoute(third);
        third = c.Domain.OpenRoute(b.Domain.Address);
        c.Post(c.Write(third, 0, b, 0, 64, immediate: 3));
        Patient.PollUntil(() => b.Immediates.ContainsKey(3), () => Both(c, b), () => $"{c} / {b}");
    }

    [Fact]
    public void PostingPollingAndArrivingAllocateNothing()
    {
        using var harness = new VerbsHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        var completions = new FabricCompletion[64];
        var writes = new FabricWrite[32];
        for (int i = 0; i < writes.Length; i++)
            writes[i] = a.Write(route, i * 64, b, i * 128, 64, immediate: 1);
        for (int warmUp = 0; warmUp < 20; warmUp++)
            Round();
        Assert.Equal(0, Allocations.Least(Round));

        void Round()
        {
            long ended = 0, arrived = 0;
            var deadline = Deadline.In(TimeSpan.FromSeconds(60));
            a.Domain.PostWrites(writes);
            while (ended < writes.Length || arrived < writes.Length)
            {
                foreach (ref readonly FabricCompletion completion in completions.AsSpan(0, a.Domain.Poll(completions)))
                    ended += completion.Kind == FabricCompletionKind.Write ? completion.Count : 0;
                foreach (ref readonly FabricCompletion completion in completions.AsSpan(0, b.Domain.Poll(completions)))
                    arrived += completion.Kind == FabricCompletionKind.Immediate ? 1 : 0;
                deadline.Check(static () => "a round did not end");
            }
        }
    }

    [Fact]
    public void LargeRegionsReportTheirProgress()
    {
        var seen = new System.Collections.Concurrent.ConcurrentQueue<RegistrationProgress>();
        using var harness = new VerbsHarness(options => options with { Progress = new Inline(seen.Enqueue), RegistrationThreads = 4 });
        FabricEndpoint a = harness.Open("a")[0];
        using var buffer = new NativeBuffer(160 << 20);
        seen.Clear();
        RegionKeys keys = a.Domain.Register(Start(buffer), buffer.Length, MemoryKind.Host);
        a.Domain.Unregister(keys);
        Assert.Equal(new RegistrationProgress(0, buffer.Length), seen.First());
        Assert.Equal(new RegistrationProgress(buffer.Length, buffer.Length), seen.Last());
        Assert.True(seen.Count >= 5, $"{seen.Count} reports");
        Assert.All(seen, static one => Assert.InRange(one.Bytes, 0, one.Total));
    }

    [Fact]
    public void DeviceMemoryThatIsNoneIsRefusedByName()
    {
        using var harness = new VerbsHarness();
        FabricEndpoint a = harness.Open("a")[0];
        FabricException refused = Assert.Throws<FabricException>(() => a.Domain.Register(Start(a.Buffer), 4096, MemoryKind.Cuda));
        Assert.Contains("CUDA", refused.Message.Replace("libcuda", "CUDA", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    private static unsafe nint Start(NativeBuffer buffer) => (nint)buffer.Pointer;

    internal static (FabricEndpoint A, FabricEndpoint B, int Route) Pair(VerbsHarness harness)
    {
        FabricEndpoint a = harness.Open("a")[0], b = harness.Open("b")[0];
        return (a, b, a.Domain.OpenRoute(b.Domain.Address));
    }

    private static void Fill(FabricEndpoint end, int seed) => new Random(seed).NextBytes(end.Buffer.Span(0, (int)end.Buffer.Length));

    internal static void Both(FabricEndpoint a, FabricEndpoint b)
    {
        a.Step();
        b.Step();
    }

    /// <summary>Reports at once, where <see cref="Progress{T}"/> posts.</summary>
    private sealed class Inline(Action<RegistrationProgress> report) : IProgress<RegistrationProgress>
    {
        public void Report(RegistrationProgress value) => report(value);
    }
}
