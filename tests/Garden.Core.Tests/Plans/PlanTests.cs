using System.Runtime.CompilerServices;
using Garden.Core.Tests.Memory;
using Garden.Fabric;

namespace Garden.Core.Tests.Plans;

[Collection(NativeListsCollection.Name)]
public class PlanTests
{
    private static readonly RegionHandle s_source = new(1, 1), s_destination = new(2, 1);
    private static readonly Immediate s_counter = Immediate.ForCounter(3, 4);

    [Fact]
    public void HotStructsHaveTheirSizes()
    {
        Assert.Equal(48, Unsafe.SizeOf<WriteDescriptor>());
        Assert.Equal(64, Unsafe.SizeOf<FabricWrite>());
        Assert.Equal(48, Unsafe.SizeOf<FabricCompletion>());
        Assert.Equal(32, Unsafe.SizeOf<PlanCursor>());
        Assert.Equal(4, Unsafe.SizeOf<RegionHandle>());
        Assert.Equal(4, Unsafe.SizeOf<Immediate>());
        Assert.Equal(192, Unsafe.SizeOf<RegionEntry>());
        Assert.Equal(64, Unsafe.SizeOf<NativeBlock>());
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(65536, 1)]
    [InlineData(65537, 2)]
    [InlineData((1L << 32) + 1, 65537)]
    public void L4_SingleWriteIsOneRunOfAnyLength(long length, long units)
    {
        var plan = new SingleWrite(s_source, 5, s_destination, 9, length, s_counter);
        WriteDescriptor write = Assert.Single(PlanExpansion.Expand(in plan));
        Assert.Equal((length, 5L, 9L, units), (write.Length, write.SourceOffset, write.DestinationOffset, write.Units));
        Assert.Equal(units, SingleWrite.CountUnits(in plan));
        Assert.Equal(1, SingleWrite.CountUnits(new SingleWrite(s_source, 5, s_destination, 9, length, Immediate.FromNumber(1))));
    }

    [Fact]
    public void L6_NothingWithoutAnImmediateIsNoWrite() =>
        Assert.Empty(PlanExpansion.Expand(new SingleWrite(s_source, 0, s_destination, 0, 0, Immediate.None)));

    [Fact]
    public void L2_ScatterIsOneRunATarget()
    {
        Gen.Select(Gen.Long[0, 300_000], Gen.Int[0, 3]).Array[0, 150].Sample(
            parts =>
            {
                var targets = new ScatterTarget[parts.Length];
                long offset = 0;
                for (int i = 0; i < parts.Length; i++)
                {
                    (long length, int kind) = parts[i];
                    length = kind == 0 ? 0 : length;
                    Immediate immediate = kind switch { 0 or 1 => s_counter, 2 => Immediate.FromNumber(7), _ => Immediate.None };
                    targets[i] = new ScatterTarget(new RegionHandle(i + 1, 1), immediate, offset, i, length);
                    offset += length;
                }

                ScatterListHandle list = ScatterListHandle.Rent(targets);
                var plan = new ScatterWrites(s_source, list);
                List<WriteDescriptor> writes = PlanExpansion.Expand(in plan);
                Assert.Equal(offset, writes.Sum(write => write.Length));
                long at = 0;
                foreach (WriteDescriptor write in writes.Where(write => write.Length != 0))
                {
                    Assert.Equal(at, write.SourceOffset);
                    at += write.Length;
                }

                ScatterTarget[] expected = [.. targets.Where(target => target.Length != 0 || !target.Immediate.IsNone)];
                Assert.Equal(expected.Select(target => target.Destination), writes.Select(write => write.Destination));
                list.Release();
            },
            iter: 200,
            threads: 1);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(64)]
    [InlineData(129)]
    public unsafe void BarrierIsOneImmediateAMember(int members)
    {
        ulong block = NativeBlock.Rent(members, sizeof(RegionHandle), out void* items);
        // Safe: the block was rented for so many members.
        var handles = new Span<RegionHandle>(items, members);
        for (int i = 0; i < members; i++)
            handles[i] = new RegionHandle(i, 1);
        var plan = new Barrier(new PeerGroupHandle(block), s_counter);
        List<WriteDescriptor> writes = PlanExpansion.Expand(in plan);
        Assert.Equal(Enumerable.Range(0, members), writes.Select(write => write.Destination.Index));
        Assert.All(writes, write => Assert.Equal((0L, 1u), (write.Length, write.Units)));
        Assert.Equal(members, Barrier.CountUnits(in plan));
        NativeBlock.Release(block);
    }

    [Fact]
    public void PlansHoldTheirListsUntilReleased()
    {
        long before = NativeBlock.Outstanding;
        PageList pages = PageList.Create([1, 2]);
        var plan = new PagedWrites { Count = 2, PageLength = 8, SourcePages = pages.Handle, DestinationPages = pages.Handle };
        PagedWrites.Acquire(in plan);
        pages.Dispose();
        Assert.True(plan.SourcePages.IsLive);
        PagedWrites.Release(in plan);
        Assert.False(plan.SourcePages.IsLive);
        Assert.Throws<ObjectDisposedException>(() => PagedWrites.Acquire(in plan));
        Assert.Equal(before, NativeBlock.Outstanding);
    }

    [Fact]
    public void ImmediatesKeepTheirParts() => Gen.Select(Gen.Int[0, (1 << 15) - 1], Gen.Int[0, 63], Gen.UInt[0, 1023]).Sample((slot, generation, units) =>
    {
        Immediate counter = Immediate.ForCounter(slot, generation);
        Assert.True(counter.IsCounter && !counter.IsNumber && !counter.IsNone);
        Immediate received = Immediate.FromBits(counter.OnWire(units));
        Assert.Equal((slot, generation, (int)units), (received.Slot, received.Generation, received.Units));
    });

    [Fact]
    public void ZeroAndCounterBitAreNoNumbers()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Immediate.FromNumber(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Immediate.FromNumber(1u << 31));
        Assert.Equal(int.MaxValue, (int)Immediate.FromNumber(int.MaxValue).OnWire(55));
    }
}
