using System.Runtime.CompilerServices;
using Garden.Fabric;
using Garden.Fabric.Loopback;
using Garden.Testing;

namespace Garden.Core.Tests.Engine;

/// <summary>The end of a registration: memory is free only when every NIC says so, and is not freed before by the garbage collector.</summary>
public sealed class RegionEndTests
{
    private static readonly TimeSpan s_short = TimeSpan.FromMilliseconds(50);

    [Fact]
    public async Task ANicThatFailsToRevokeDoesNotKeepTheOthersFromIt()
    {
        var fabric = new StubbornFabric(nics: 3) { Refuses = 1 };
        await using TransferEngine engine = TransferEngine.CreateBuilder().UseFabric(fabric).Build();
        using var buffer = new NativeBuffer(4096);
        MemoryRegion region = engine.Register(buffer);
        FabricException refused = await Assert.ThrowsAsync<FabricException>(() => region.UnregisterAsync(EnginePair.Limit).AsTask());
        Assert.Equal("NIC 1 refuses", refused.Message);
        Assert.Equal([1, 0, 1], fabric.Revoked);
        // Still refused: the memory is not free.
        await Assert.ThrowsAsync<FabricException>(() => region.UnregisterAsync(EnginePair.Limit).AsTask());
        fabric.Refuses = -1;
        await region.UnregisterAsync(EnginePair.Limit);
        Assert.Equal([1, 1, 1], fabric.Revoked);
        await region.UnregisterAsync(EnginePair.Limit);
        Assert.Equal([1, 1, 1], fabric.Revoked);
    }

    [Fact]
    public async Task ANicThatFailsToRevokeIsAskedAgainWhenTheRegionIsRenewed()
    {
        var fabric = new StubbornFabric(nics: 2) { Refuses = 0 };
        await using TransferEngine engine = TransferEngine.CreateBuilder().UseFabric(fabric).Build();
        using var buffer = new NativeBuffer(4096);
        MemoryRegion region = engine.Register(buffer);
        await Assert.ThrowsAsync<FabricException>(() => region.RenewAsync(EnginePair.Limit).AsTask());
        fabric.Refuses = -1;
        await region.RenewAsync(EnginePair.Limit);
        Assert.Equal([1, 1], fabric.Revoked);
        Assert.Equal(2u, region.Generation);
        await region.UnregisterAsync(EnginePair.Limit);
        Assert.Equal([2, 2], fabric.Revoked);
    }

    [Fact]
    public async Task H3_AFabricThatWaitsForWritersDoesNotHoldUpItsCaller()
    {
        var fabric = new StubbornFabric(nics: 2);
        await using TransferEngine engine = TransferEngine.CreateBuilder().UseFabric(fabric).Build();
        using var buffer = new NativeBuffer(4096);
        MemoryRegion region = engine.Register(buffer);
        fabric.Gate.Reset();
        TimeoutException late = await Assert.ThrowsAsync<TimeoutException>(() => region.UnregisterAsync(s_short).AsTask());
        Assert.Contains("memory must stay", late.Message, StringComparison.Ordinal);
        using var given = new CancellationTokenSource();
        Task waiting = region.UnregisterAsync(EnginePair.Limit, given.Token).AsTask();
        await given.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        fabric.Gate.Set();
        await region.UnregisterAsync(EnginePair.Limit);
        // Waited for, and not begun again.
        Assert.Equal([1, 1], fabric.Revoked);
    }

    [Fact]
    public async Task L8_ABufferThatOnlyItsRegionKnowsIsNotCollected()
    {
        await using TransferEngine engine = EnginePair.Build(new LoopbackNetwork(), new LoopbackOptions { Name = "owner" });
        (MemoryRegion region, WeakReference buffer) = Register(engine);
        Garbage.Collect();
        Assert.True(buffer.IsAlive, "The memory of a registered region was freed.");
        await region.UnregisterAsync(EnginePair.Limit);
        Garbage.Collect();
        Assert.False(buffer.IsAlive, "An unregistered region keeps its memory.");
        GC.KeepAlive(region);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (MemoryRegion Region, WeakReference Buffer) Register(TransferEngine engine)
    {
        var buffer = new NativeBuffer(4096);
        return (engine.Register(buffer), new WeakReference(buffer));
    }

    /// <summary>NICs that count what they revoke, one of which may refuse, and that all may take their time.</summary>
    private sealed class StubbornFabric(int nics) : IFabric
    {
        private readonly LoopbackFabric _inner = new(new LoopbackNetwork(), new LoopbackOptions { Name = "stubborn", Nics = nics });

        public string Name => _inner.Name;

        public int Refuses { get; set; } = -1;

        public ManualResetEventSlim Gate { get; } = new(true);

        public int[] Revoked { get; } = new int[nics];

        public IReadOnlyList<IFabricDomain> Open(FabricOpenContext context) => [.. _inner.Open(context).Select((domain, nic) => new Domain(this, nic, domain))];

        private sealed class Domain(StubbornFabric owner, int nic, IFabricDomain inner) : DelegatingDomain(inner)
        {
            public override void Unregister(RegionKeys keys)
            {
                Assert.True(owner.Gate.Wait(EnginePair.Limit));
                if (owner.Refuses == nic)
                    throw new FabricException($"NIC {nic} refuses");
                base.Unregister(keys);
                owner.Revoked[nic]++;
            }
        }
    }
}
