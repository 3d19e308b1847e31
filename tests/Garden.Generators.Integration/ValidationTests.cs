using Garden.KvCache;

namespace Garden.Generators.Integration;

public sealed class ValidationTests : IDisposable
{
    private const int SourcePool = 6, DestinationPool = 4;

    private readonly RegionTable _regions = new(4);
    private readonly PageList _sourcePages = PageList.Create([0, 5, 2]);
    private readonly PageList _destinationPages = PageList.Create([3, 0]);
    private readonly RegionHandle _source;
    private readonly RegionHandle _destination;

    public ValidationTests()
    {
        _source = _regions.Add(RegionState.Local, -1, 0, 100 + Llama70Tp8.PoolBytes(SourcePool), default, default);
        _destination = _regions.Add(RegionState.Remote, 1, 0, 200 + Llama70Tp4.PoolBytes(DestinationPool), default, default);
    }

    public void Dispose()
    {
        _sourcePages.Dispose();
        _destinationPages.Dispose();
    }

    [Fact]
    public void A_plan_that_fits_is_accepted()
    {
        Validate(Good());
        Validate(Good() with { FirstToken = 47, TokenCount = 1 });
        Validate(Good() with { TokenCount = 0, SourcePages = default, DestinationPages = default });
    }

    [Fact]
    public void Ranks_layers_and_tokens_must_exist()
    {
        Assert.Contains("source rank 8", Refused(Good() with { SourceRank = 8 }));
        Assert.Contains("destination rank -1", Refused(Good() with { DestinationRank = -1 }));
        Assert.Contains("Layers [79, 79 + 2)", Refused(Good() with { FirstLayer = 79, LayerCount = 2 }));
        Assert.Contains("Layers [-1, -1 + 1)", Refused(Good() with { FirstLayer = -1, LayerCount = 1 }));
        Assert.Contains("Layers [0, 0 + -1)", Refused(Good() with { LayerCount = -1 }));
        Assert.Contains("Tokens [-1, -1 + 1)", Refused(Good() with { FirstToken = -1, TokenCount = 1 }));
        Assert.Contains("Tokens [0, 0 + -3)", Refused(Good() with { TokenCount = -3 }));
        Assert.Contains("Tokens [2147483647, 2147483647 + 1)", Refused(Good() with { FirstToken = int.MaxValue, TokenCount = 1 }));
    }

    [Fact]
    public void Page_lists_must_cover_the_tokens_and_lie_in_their_pools()
    {
        Assert.Contains("source page list has 3 entries, but tokens up to 49", Refused(Good() with { TokenCount = 49 }));
        Assert.Contains("source page list has 0 entries", Refused(Good() with { SourcePages = default }));
        Assert.Contains("source page 5 is outside the pool of 5 pages", Refused(Good() with { SourcePoolPages = 5 }));
        Assert.Contains("destination page 3", Refused(Good() with { DestinationPoolPages = 3 }));
        Assert.Contains("source pool has -1 pages", Refused(Good() with { SourcePoolPages = -1 }));
        // Only the pages that move count: page 5 holds tokens 16 to 31.
        Validate(Good() with { SourcePoolPages = 5, FirstToken = 32, TokenCount = 8 });
        Validate(Good() with { SourcePoolPages = 5, FirstToken = 0, TokenCount = 16 });
    }

    [Fact]
    public void Pools_must_lie_inside_their_regions()
    {
        Assert.Contains("source range [101,", Refused(Good() with { SourceOffset = 101 }));
        Assert.Contains("destination range [201,", Refused(Good() with { DestinationOffset = 201 }));
        Assert.Contains("source range [100,", Refused(Good() with { SourcePoolPages = 7 }));
        Assert.Contains("names no live source region", Refused(Good() with { Source = default }));
        Assert.Contains("unit bits", Refused(Good() with { Immediate = Immediate.FromBits(0x8000_0001) }));
    }

    [Fact]
    public void A_disposed_list_is_refused()
    {
        PageList list = PageList.Create([1, 2, 3]);
        KvTransferArguments arguments = Good() with { SourcePages = list.Handle };
        list.Dispose();
        Assert.Throws<ObjectDisposedException>(() => Validate(arguments));
    }

    [Fact]
    public void A_plan_keeps_its_lists_alive_until_it_is_released()
    {
        PageList list = PageList.Create([1, 2, 3]);
        LlamaTp8ToTp4 plan = LlamaTp8ToTp4.Create(Good() with { SourcePages = list.Handle });
        LlamaTp8ToTp4.Acquire(in plan);
        list.Dispose();
        Assert.True(plan.Arguments.SourcePages.IsLive);
        Validate(plan.Arguments);
        LlamaTp8ToTp4.Release(in plan);
        Assert.False(plan.Arguments.SourcePages.IsLive);
    }

    private KvTransferArguments Good() => new()
    {
        Source = _source,
        Destination = _destination,
        SourceOffset = 100,
        DestinationOffset = 200,
        SourcePoolPages = SourcePool,
        DestinationPoolPages = DestinationPool,
        SourcePages = _sourcePages.Handle,
        DestinationPages = _destinationPages.Handle,
        TokenCount = 48,
        LayerCount = 80,
    };

    private string Refused(KvTransferArguments arguments) => Assert.Throws<PlanException>(() => Validate(arguments)).Message;

    private void Validate(KvTransferArguments arguments)
    {
        LlamaTp8ToTp4 plan = LlamaTp8ToTp4.Create(in arguments);
        var validator = new PlanValidator(_regions);
        LlamaTp8ToTp4.Validate(in plan, ref validator);
    }
}
