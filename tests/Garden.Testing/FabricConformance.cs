using Garden.Fabric;

namespace Garden.Testing;

/// <summary>
/// What every fabric must do, in code: subclass it once per backend. Tests use two or more engines inside this process,
/// and take landing from immediates only, never from the sender's completion.
/// </summary>
public abstract partial class FabricConformance
{
    private const byte Guard = 0xA5;

    /// <summary>How many NICs the engines have; most tests use the last one of each.</summary>
    protected virtual int Nics => 1;

    /// <summary>A fresh wire.</summary>
    protected abstract FabricHarness CreateHarness();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(4096)]
    [InlineData(65535)]
    [InlineData(65536)]
    [InlineData(65537)]
    [InlineData((1 << 20) + 3)]
    [InlineData((3 << 20) + 1)]
    public void WriteLandsExactly(int length)
    {
        using FabricHarness harness = CreateHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness, 8 << 20);
        const int At = 4097;
        a.Memory.Fill(0, (int)a.Memory.Length, 0x11);
        byte[] pattern = new byte[length];
        FillPattern(pattern, 7);
        a.Memory.Write(3, pattern);
        b.Memory.Fill(0, (int)b.Memory.Length, Guard);

        Assert.Equal(1, a.Post(a.Write(route, 3, b, At, length, immediate: 9)));
        Drain(a, b, immediates: 1);

        Assert.True(b.Memory.Read(At, length).SequenceEqual(a.Memory.Read(3, length)));
        Assert.False(b.Memory.Read(0, At).ContainsAnyExcept(Guard));
        Assert.False(b.Memory.Read(At + length, (int)b.Memory.Length - At - length).ContainsAnyExcept(Guard));
        Assert.Equal(9u, Assert.Single(b.Order));
        Assert.Equal(1, a.Ended[FabricStatus.Ok]);
    }

    [Fact]
    public void ImmediatesAreCountedOnce()
    {
        using FabricHarness harness = CreateHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        var writes = new FabricWrite[3000];
        for (int i = 0; i < writes.Length; i++)
            writes[i] = a.Write(route, i, b, i * 8, i % 3 == 0 ? 0 : 8, immediate: (uint)(i % 7) + 1, context: (ulong)(i / 10));
        a.PostAll(writes, Deadline.Default, b);
        Drain(a, b, writes.Length);
        for (uint immediate = 1; immediate <= 7; immediate++)
            Assert.Equal(writes.Count(write => write.Immediate == immediate), b.Immediates[immediate]);
        Assert.All(a.EndedByContext, pair => Assert.Equal(10, pair.Value));
    }

    [Fact]
    public void ImmediateOnlyWriteNeedsNoKeys()
    {
        using FabricHarness harness = CreateHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        a.Post(new FabricWrite { Route = route, Immediate = 77, Context = 5, LocalKey = 123, RemoteKey = 456, RemoteAddress = 789 });
        Drain(a, b, 1);
        Assert.Equal(1, b.Immediates[77]);
        Assert.Equal(1, a.Ended[FabricStatus.Ok]);
    }

    [Fact]
    public void WritesWithoutImmediateAreSilent()
    {
        using FabricHarness harness = CreateHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        a.PostAll([a.Write(route, 0, b, 0, 100), a.Write(route, 0, b, 0, 0)], Deadline.Default, b);
        Deadline.Default.PollUntil(() => a.EndedTotal == 2, () => Both(a, b), () => $"{a} / {b}");
        for (int i = 0; i < 100; i++)
            Both(a, b);
        Assert.Empty(b.Order);
    }

    [Fact]
    public void BackPressureLosesNothing()
    {
        using FabricHarness harness = CreateHarness();
        (FabricEndpoint a, FabricEndpoint b, int route) = Pair(harness);
        int depth = a.Domain.Capabilities.QueueDepth;
        int total = (3 * depth) + 5;
        var writes = new FabricWrite[total];
        for (int i = 0; i < total; i++)
            writes[i] = a.Write(route, i % 4096, b, i % 4096, 64, immediate: (uint)i + 1, context: (ulong)i);

        int posted = 0, accepted;
        Deadline deadline = Deadline.Default;
        while ((accepted = a.Post(writes.AsSpan(posted))) != 0)
        {
            posted += accepted;
            deadline.Check(() => $"PostWrites never says 0 after {posted} unpolled writes at depth {depth}");
        }

        Assert.InRange(posted, 1, depth);
        a.PostAll(writes.AsSpan(posted), Deadline.Default, b);
        Drain(a, b, total);
        Assert.Equal(total, b.Immediates.Count);
        Assert.Equal(total, a.EndedByContext.Count);
        Assert.Equal(total, a.Ended[FabricStatus.Ok]);
    }

    [Fact]
    public void UnequalNicCountsReachEachOther()
    {
        using FabricHarness harness = CreateHarness();
        FabricEndpoint[] left = harness.Open("left", 4), right = harness.Open("right", 3);
        int expected = 0;
        for (int i = 0; i < left.Length; i++)
        {
            for (int j = 0; j < right.Length; j++)
            {
                int route = left[i].Domain.OpenRoute(right[j].Domain.Address);
                left[i].Memory.Fill(0, 64, (byte)(i + 1));
                left[i].PostAll([left[i].Write(route, 0, right[j], i * 64, 64, immediate: (uint)i + 1)], Deadline.Default, right);
                expected++;
            }
        }

        FabricEndpoint[] all = [.. left, .. right];
        Deadline.Default.PollUntil(
            () => right.Sum(end => end.ImmediateTotal) == expected && left.All(end => end.EndedTotal == end.Posted),
            () => Array.ForEach(all, end => end.Step()),
            () => string.Join(" / ", all.AsEnumerable()));
        foreach (FabricEndpoint end in right)
        {
            for (int i = 0; i < left.Length; i++)
                Assert.False(end.Memory.Read(i * 64, 64).ContainsAnyExcept((byte)(i + 1)));
        }
    }

    /// <summary>A NIC of each of two engines and the first one's route to the second.</summary>
    private (FabricEndpoint A, FabricEndpoint B, int Route) Pair(FabricHarness harness, long bufferBytes = 4 << 20)
    {
        FabricEndpoint a = harness.Open("a", Nics, bufferBytes)[^1], b = harness.Open("b", Nics, bufferBytes)[^1];
        return (a, b, a.Domain.OpenRoute(b.Domain.Address));
    }

    private static void Both(FabricEndpoint a, FabricEndpoint b)
    {
        a.Step();
        b.Step();
    }

    /// <summary>Polls both until everything posted by a is reported and so many immediates are at b, and then some more.</summary>
    private static void Drain(FabricEndpoint a, FabricEndpoint b, long immediates)
    {
        Deadline.Default.PollUntil(
            () => a.EndedTotal >= a.Posted && b.ImmediateTotal >= immediates, () => Both(a, b), () => $"{a} / {b}");
        for (int i = 0; i < 20; i++)
            Both(a, b);
        Assert.Equal(a.Posted, a.EndedTotal);
        Assert.Equal(immediates, b.ImmediateTotal);
    }

    private static void FillPattern(Span<byte> bytes, int seed)
    {
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = (byte)((i * 31) + (i >> 8) + seed);
    }
}
