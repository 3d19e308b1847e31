using Garden.Core.Tests.Memory;

namespace Garden.Core.Tests.Plans;

[Collection(NativeListsCollection.Name)]
public class PagedWritesTests
{
    private static readonly RegionHandle s_source = new(1, 1), s_destination = new(2, 1);
    private static readonly Immediate s_counter = Immediate.ForCounter(3, 4);

    [Fact]
    public void EveryByteMovesExactlyOnce()
    {
        Gen.Select(Gen.Int[1, 60], Gen.Int[1, 24], Gen.Int[0, 2], Gen.Int[0, 2], Gen.Int[0, 50], Gen.Int[0, 3]).SelectMany(
            (count, length, sourceGap, destinationGap, offset, kind) => Gen.Select(
                Gen.Shuffle(Enumerable.Range(0, count + 5).ToArray()), Gen.Shuffle(Enumerable.Range(0, count + 5).ToArray()),
                (source, destination) => (count, length, sourceGap, destinationGap, offset, kind, source, destination)))
            .Sample(
                c =>
                {
                    // Sorted lists have the long runs, shuffled ones have hardly any.
                    int[] sources = c.kind >= 1 ? [.. c.source.Order()] : c.source;
                    int[] destinations = c.kind >= 2 ? [.. c.destination.Order()] : c.destination;
                    using PageList sourcePages = PageList.Create(sources), destinationPages = PageList.Create(destinations);
                    var plan = new PagedWrites
                    {
                        Source = s_source,
                        Destination = s_destination,
                        Immediate = c.kind == 3 ? Immediate.FromNumber(9) : s_counter,
                        First = 2,
                        Count = c.count,
                        PageLength = c.length,
                        SourcePages = sourcePages.Handle,
                        DestinationPages = destinationPages.Handle,
                        SourceStride = c.length + c.sourceGap,
                        SourceOffset = c.offset,
                        DestinationStride = c.length + c.destinationGap,
                        DestinationOffset = 2 * c.offset,
                    };
                    Check(plan, sources, destinations);
                },
                iter: 300,
                threads: 1);
    }

    [Fact]
    public void L6_ZeroPagePagedWriteHasNoDescriptors()
    {
        var plan = new PagedWrites { Source = s_source, Destination = s_destination, Immediate = s_counter, PageLength = 4096 };
        Assert.Empty(PlanExpansion.Expand(in plan));
        Assert.Equal(0, PagedWrites.CountUnits(in plan));
    }

    [Fact]
    public void L6_ZeroLengthPagesAreCountedOrNothing()
    {
        using PageList pages = PageList.Create([0, 1, 2]);
        var plan = new PagedWrites { Count = 3, SourcePages = pages.Handle, DestinationPages = pages.Handle, Immediate = s_counter };
        Assert.Equal(3, PagedWrites.CountUnits(in plan));
        Assert.Equal(3, PlanExpansion.Units(PlanExpansion.Expand(in plan)));
        Assert.Empty(PlanExpansion.Expand(plan with { Immediate = Immediate.None }));
    }

    [Fact]
    public void T11_AdjacentPagesBecomeOneWrite()
    {
        using PageList pages = PageList.Create([.. Enumerable.Range(10, 500)]);
        var plan = new PagedWrites
        {
            Count = 500,
            PageLength = 4096,
            SourcePages = pages.Handle,
            DestinationPages = pages.Handle,
            SourceStride = 4096,
            DestinationStride = 4096,
            Immediate = s_counter,
        };
        WriteDescriptor write = Assert.Single(PlanExpansion.Expand(in plan));
        Assert.Equal((500 * 4096L, 500u, 10 * 4096L), (write.Length, write.Units, write.SourceOffset));
        Assert.Equal(500, PlanExpansion.Expand(plan with { Immediate = Immediate.FromNumber(1) }).Count);
        Assert.Equal(500, PlanExpansion.Expand(plan with { DestinationStride = 8192 }).Count);
    }

    [Fact]
    public void CoalescingStopsAtTheUnitsOfOneImmediate()
    {
        using PageList pages = PageList.Create([.. Enumerable.Range(0, 5000)]);
        var plan = new PagedWrites
        {
            Count = 5000,
            PageLength = 65537,
            SourcePages = pages.Handle,
            DestinationPages = pages.Handle,
            SourceStride = 65537,
            DestinationStride = 65537,
            Immediate = s_counter,
        };
        List<WriteDescriptor> writes = PlanExpansion.Expand(in plan);
        Assert.All(writes, write => Assert.InRange(write.Units, 1u, (uint)TransferUnits.MaxPerWrite));
        Assert.Equal(10_000, PlanExpansion.Units(writes));
        Assert.Equal(10_000, PagedWrites.CountUnits(in plan));
        Assert.Equal((5000 + 510) / 511, writes.Count);
    }

    private static void Check(PagedWrites plan, int[] sources, int[] destinations)
    {
        List<WriteDescriptor> writes = PlanExpansion.Expand(in plan);
        var moved = new Dictionary<long, long>();
        foreach (WriteDescriptor write in writes)
        {
            Assert.Equal((s_source, s_destination, plan.Immediate), (write.Source, write.Destination, write.Immediate));
            for (long i = 0; i < write.Length; i++)
                Assert.True(moved.TryAdd(write.DestinationOffset + i, write.SourceOffset + i), "A byte was written twice.");
        }

        Assert.Equal((long)plan.Count * plan.PageLength, moved.Count);
        for (int page = plan.First; page < plan.First + plan.Count; page++)
        {
            for (long i = 0; i < plan.PageLength; i++)
            {
                Assert.Equal(
                    plan.SourceOffset + (sources[page] * plan.SourceStride) + i,
                    moved[plan.DestinationOffset + (destinations[page] * plan.DestinationStride) + i]);
            }
        }

        Assert.Equal(PagedWrites.CountUnits(in plan), PlanExpansion.Units(writes));
        if (plan.Immediate.IsNumber)
            Assert.Equal(plan.Count, writes.Count);
    }
}
