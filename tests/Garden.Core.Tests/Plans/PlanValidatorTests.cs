using Garden.Core.Tests.Memory;

namespace Garden.Core.Tests.Plans;

[Collection(NativeListsCollection.Name)]
public sealed class PlanValidatorTests
{
    private readonly RegionTable _table = new(8);
    private readonly RegionHandle _source;
    private readonly RegionHandle _destination;

    public PlanValidatorTests()
    {
        _source = _table.Add(RegionState.Local, -1, 0, 1000, [0x1000], [1]);
        _destination = _table.Add(RegionState.Remote, 5, 0, 2000, [0], [1]);
    }

    [Theory]
    [InlineData(0, 1000, true)]
    [InlineData(1000, 0, true)]
    [InlineData(1, 1000, false)]
    [InlineData(-1, 10, false)]
    [InlineData(0, -1, false)]
    [InlineData(long.MaxValue, 1, false)]
    [InlineData(1, long.MaxValue, false)]
    public void L9_RangesOutsideTheRegionAreRefused(long offset, long length, bool fits)
    {
        Exception? thrown = Record.Exception(() => new PlanValidator(_table).RequireSource(_source, offset, length));
        Assert.Equal(fits, thrown is null);
        Assert.True(fits || thrown is PlanException);
    }

    [Theory]
    [InlineData(100, 0, 100, true)]
    [InlineData(100, 1, 100, false)]
    [InlineData(101, 0, 100, false)]
    [InlineData(long.MaxValue, 0, 1, false)]
    [InlineData(long.MaxValue / 2, 0, 100, false)]
    [InlineData(-1, 0, 100, false)]
    public void L9_PageIndicesOutsideTheRegionAreRefused(long stride, long offset, long length, bool fits)
    {
        using PageList pages = PageList.Create([0, 9, 3]);
        var plan = new PagedWrites
        {
            Source = _source,
            Destination = _destination,
            SourcePages = pages.Handle,
            DestinationPages = pages.Handle,
            Count = 3,
            PageLength = length,
            SourceStride = stride,
            SourceOffset = offset,
            DestinationStride = 100,
        };
        Exception? thrown = Record.Exception(() => Validate(plan));
        Assert.Equal(fits, thrown is null);
        Assert.True(fits || thrown is PlanException, thrown?.ToString());
    }

    [Fact]
    public void L9_HandlesOfTheWrongSideAreRefused()
    {
        Assert.Throws<PlanException>(() => new PlanValidator(_table).RequireSource(_destination, 0, 1));
        Assert.Throws<PlanException>(() => new PlanValidator(_table).RequireDestination(_source, 0, 1));
        _table.Remove(_destination);
        Assert.Throws<PlanException>(() => new PlanValidator(_table).RequireDestination(_destination, 0, 1));
    }

    [Fact]
    public void PartOfAListOnlyNeedsThatPartToFit()
    {
        using PageList pages = PageList.Create([0, 1, 500]);
        var plan = new PagedWrites
        {
            Source = _source,
            Destination = _destination,
            SourcePages = pages.Handle,
            DestinationPages = pages.Handle,
            Count = 2,
            PageLength = 100,
            SourceStride = 100,
            DestinationStride = 100,
        };
        Validate(plan);
        Assert.Throws<PlanException>(() => Validate(plan with { Count = 3 }));
        Assert.Throws<PlanException>(() => Validate(plan with { Count = 4 }));
        Assert.Throws<PlanException>(() => Validate(plan with { First = -1 }));
    }

    [Fact]
    public void DisposedListIsRefused()
    {
        PageList pages = PageList.Create([0, 1]);
        var plan = new PagedWrites { Source = _source, Destination = _destination, SourcePages = pages.Handle, DestinationPages = pages.Handle, Count = 2 };
        pages.Dispose();
        Assert.Throws<ObjectDisposedException>(() => Validate(plan));
    }

    [Fact]
    public void CounterWithUnitsIsRefused() =>
        Assert.Throws<PlanException>(() => new PlanValidator(_table).RequireImmediate(Immediate.FromBits((1u << 31) | 5)));

    private void Validate(PagedWrites plan)
    {
        var validator = new PlanValidator(_table);
        PagedWrites.Validate(in plan, ref validator);
    }
}
