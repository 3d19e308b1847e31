using Garden.Fabric;
using Garden.Testing;

namespace Garden.Interop.Tests.Libfabric;

/// <summary>Writes are handed over in runs of which the first is looked at closest: the others are held to the same.</summary>
public sealed class WriteBatchTests
{
    private const int Bytes = 64;

    [Theory]
    [InlineData("tcp", "before")]
    [InlineData("tcp", "behind")]
    [InlineData("tcp", "overhanging")]
    [InlineData("shm", "before")]
    [InlineData("shm", "overhanging")]
    public void L9_AWriteThatLeavesItsSourceFailsAloneAmongGoodOnes(string provider, string how)
    {
        using FabricHarness harness = Harness(provider);
        FabricEndpoint a = harness.Open("a")[0], b = harness.Open("b")[0];
        int route = a.Domain.OpenRoute(b.Domain.Address);
        Introduce(a, route, b);
        FabricWrite bad = a.Write(route, 0, b, 4096, Bytes, immediate: 7, context: 2);
        bad.LocalAddress += how switch
        {
            "before" => unchecked((ulong)-Bytes),
            "behind" => (ulong)a.Memory.Length + 4096,
            _ => (ulong)a.Memory.Length - Bytes + 1,
        };
        a.PostAll([a.Write(route, 0, b, 0, Bytes, 8, 3), bad, a.Write(route, 0, b, Bytes, Bytes, 8, 3)], Deadline.Default, b);
        Settle(a, b, () => b.Immediates.GetValueOrDefault(8u) == 2);
        Assert.Equal(1, a.Ended[FabricStatus.LocalAccess]);
        Assert.Equal(1, a.EndedFailed);
        Assert.Equal(2, a.EndedByContext[3]);
        Assert.False(b.Immediates.ContainsKey(7));
        Assert.False(b.Memory.Read(4096, Bytes).ContainsAnyExcept((byte)0));
    }

    [Theory]
    [InlineData("tcp")]
    [InlineData("shm")]
    public void NeighboursKeepTheirRouteRegionContextAndImmediate(string provider)
    {
        const int Targets = 3, Rounds = 40;
        using FabricHarness harness = Harness(provider);
        FabricEndpoint a = harness.Open("a")[0], b = harness.Open("b")[0], c = harness.Open("c")[0];
        int toB = a.Domain.OpenRoute(b.Domain.Address), toC = a.Domain.OpenRoute(c.Domain.Address);
        Introduce(a, toB, b);
        Introduce(a, toC, c);
        using var second = new NativeBuffer(Rounds * Bytes);
        RegionKeys keys = b.Domain.Register(Address(second), second.Length, MemoryKind.Host);
        var writes = new FabricWrite[Targets * Rounds];
        for (int i = 0; i < writes.Length; i++)
        {
            int target = i % Targets, at = i / Targets * Bytes;
            a.Memory.Fill((target + 1) * 4096, Bytes, (byte)(target + 1));
            writes[i] = a.Write(target == 2 ? toC : toB, (target + 1) * 4096, target == 2 ? c : b, at, Bytes, (uint)target + 10, (ulong)target + 10);
            if (target == 1)
                (writes[i].RemoteAddress, writes[i].RemoteKey) = (keys.RemoteBase + (ulong)at, keys.RemoteKey);
        }

        a.PostAll(writes, Deadline.Default, b, c);
        Settle(a, b, () => b.Immediates.GetValueOrDefault(10u) == Rounds && b.Immediates.GetValueOrDefault(11u) == Rounds && c.Immediates.GetValueOrDefault(12u) == Rounds, c);
        for (ulong target = 10; target < 10 + Targets; target++)
            Assert.Equal(Rounds, a.EndedByContext[target]);
        Assert.Equal(0, a.EndedFailed);
        Assert.False(b.Memory.Read(0, Rounds * Bytes).ContainsAnyExcept((byte)1));
        Assert.False(second.Span(0, Rounds * Bytes).ContainsAnyExcept((byte)2));
        Assert.False(c.Memory.Read(0, Rounds * Bytes).ContainsAnyExcept((byte)3));
        b.Domain.Unregister(keys);
    }

    private static FabricHarness Harness(string provider) => provider == "tcp" ? new TcpHarness() : new ShmHarness();

    // Safe: the buffer outlives its use here.
    private static unsafe nint Address(NativeBuffer buffer) => (nint)buffer.Pointer;

    /// <summary>The first write over a route goes another way: it says who is coming.</summary>
    private static void Introduce(FabricEndpoint a, int route, FabricEndpoint b)
    {
        a.PostAll([a.Write(route, 0, b, 8192, Bytes, 1, 1)], Deadline.Default, b);
        Settle(a, b, () => b.Immediates.ContainsKey(1));
    }

    private static void Settle(FabricEndpoint a, FabricEndpoint b, Func<bool> arrived, FabricEndpoint? c = null) => Deadline.Default.PollUntil(
        () => a.EndedTotal == a.Posted && arrived(),
        () =>
        {
            a.Step();
            b.Step();
            c?.Step();
        },
        () => $"{a} / {b} / {c}");
}
