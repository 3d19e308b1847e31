using System.Runtime.CompilerServices;
using Garden.KvCache;

namespace Garden.Generators.Integration;

public sealed class AllocationTests
{
    [Fact]
    public void Generated_plans_allocate_nothing()
    {
        Assert.Equal(0, AllocatedBy<DeepSeekV3.Transfer>());
        Assert.Equal(0, AllocatedBy<PageMajorSeparate.Transfer>());
        Assert.Equal(0, AllocatedBy<LlamaTp8ToTp4>());
        Assert.Equal(0, AllocatedBy<NhdToHnd>());
        Assert.Equal(0, AllocatedBy<Tp4ToTp6>());
    }

    [Fact]
    public void Plans_fit_the_slots_of_the_engine()
    {
        Assert.Equal(80, Unsafe.SizeOf<KvTransferArguments>());
        Assert.Equal(80, Unsafe.SizeOf<DeepSeekV3.Transfer>());
        Assert.Equal(80, Unsafe.SizeOf<LlamaTp8ToTp4>());
        Assert.Equal(80, Unsafe.SizeOf<QwenTp4ToTp8>());
    }

    private static long AllocatedBy<TPlan>()
        where TPlan : unmanaged, IKvTransfer<TPlan>
    {
        int[] all = [.. Enumerable.Range(0, 64)];
        using PageList pages = PageList.Create(all);
        var regions = new RegionTable(4);
        var arguments = new KvTransferArguments
        {
            Source = regions.Add(RegionState.Local, -1, 0, TPlan.SourcePoolBytes(64), default, default),
            Destination = regions.Add(RegionState.Remote, 1, 0, TPlan.DestinationPoolBytes(64), default, default),
            SourcePoolPages = 64,
            DestinationPoolPages = 64,
            SourcePages = pages.Handle,
            DestinationPages = pages.Handle,
            FirstToken = 1,
            TokenCount = 40,
            LayerCount = 1,
        };
        var span = new WriteDescriptor[16];
        long total = long.MaxValue;
        // Several rounds, because the first ones also pay for tiering.
        for (int round = 0; round < 3; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            TPlan plan = TPlan.Create(in arguments);
            var validator = new PlanValidator(regions);
            TPlan.Validate(in plan, ref validator);
            TPlan.Acquire(in plan);
            PlanCursor cursor = default;
            long units = TPlan.CountUnits(in plan) + TPlan.CountBytes(in plan);
            while (!cursor.IsCompleted)
                units += TPlan.Expand(in plan, ref cursor, span);
            TPlan.Release(in plan);
            total = Math.Min(total, GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.True(units > 0);
        }

        return total;
    }
}
