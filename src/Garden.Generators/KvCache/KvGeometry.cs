namespace Garden.Generators.KvCache;

/// <summary>What a canonical run between two different layouts is: the longest piece of one segment, layer and plane that is contiguous on both sides.</summary>
internal enum KvRunShape
{
    /// <summary>All tokens of a segment with all their heads: both sides are token-major and hold the same heads.</summary>
    Tokens,

    /// <summary>All tokens of a segment, one head: both sides are head-major.</summary>
    HeadTokens,

    /// <summary>One token, the moved heads: both sides are token-major but hold different heads.</summary>
    TokenHeads,

    /// <summary>One head of one token: one side is token-major, the other head-major.</summary>
    Element,
}

/// <summary>What the two layouts of a transfer decide at compile time. A segment is a range of tokens inside one page on either side.</summary>
internal sealed class KvGeometry(KvLayout from, KvLayout to)
{
    public KvLayout From { get; } = from;

    public KvLayout To { get; } = to;

    public int Planes => From.PlaneCount;

    /// <summary>Heads that two overlapping ranks share, null when that depends on the ranks.</summary>
    public int? MovedHeads =>
        From.LocalKvHeads % To.LocalKvHeads == 0 || To.LocalKvHeads % From.LocalKvHeads == 0
            ? Math.Min(From.LocalKvHeads, To.LocalKvHeads)
            : null;

    public KvRunShape Shape =>
        Both(KvLayout.Nhd) && From.LocalKvHeads == To.LocalKvHeads ? KvRunShape.Tokens
        : Both(KvLayout.Hnd) ? KvRunShape.HeadTokens
        : Both(KvLayout.Nhd) ? KvRunShape.TokenHeads
        : KvRunShape.Element;

    /// <summary>
    /// True when no two runs are neighbours on both sides, whatever the pages: on the side with more heads a token's run is
    /// shorter than its token, and every run lies at the same place inside one.
    /// </summary>
    public bool RunsNeverTouch => Shape == KvRunShape.TokenHeads && MovedHeads is not null;

    public bool LoopsOverHeads => Shape is KvRunShape.HeadTokens or KvRunShape.Element;

    /// <summary>The loops over layers, pages and planes, in the order of the source's addresses.</summary>
    public (string Variable, string First, string End)[] OuterLoops
    {
        get
        {
            (string, string, string) layer = ("layer", "firstLayer", "endLayer");
            (string, string, string) page = ("page", "firstPage", "endPage");
            (string, string, string) plane = ("plane", "0", "2");
            return (From.PoolOrder, From.Planes) switch
            {
                (KvLayout.LayerMajor, KvLayout.Interleaved) => [layer, page, plane],
                (KvLayout.LayerMajor, KvLayout.Separate) => [layer, plane, page],
                (KvLayout.LayerMajor, _) => [layer, page],
                (_, KvLayout.Interleaved) => [page, layer, plane],
                (_, KvLayout.Separate) => [page, plane, layer],
                _ => [page, layer],
            };
        }
    }

    /// <summary>The loops inside a page, in the order of the source's addresses.</summary>
    public string[] InnerLoops => Shape switch
    {
        KvRunShape.Tokens or KvRunShape.TokenHeads => ["token"],
        KvRunShape.HeadTokens => ["head", "token"],
        _ => From.Axes == KvLayout.Nhd ? ["token", "head"] : ["head", "token"],
    };

    /// <summary>Bytes from one layer, plane and page to the next, as expressions; the pool's size is known at run time only.</summary>
    public static (string Layer, string Plane, string Page) StridesOf(KvLayout layout, string poolPages)
    {
        long plane = layout.BytesPerPlane, page = layout.BytesPerPage;
        return (layout.PoolOrder, layout.Planes) switch
        {
            (KvLayout.LayerMajor, KvLayout.Separate) => ($"{poolPages} * {page}L", $"{poolPages} * {plane}L", $"{plane}L"),
            (KvLayout.LayerMajor, _) => ($"{poolPages} * {page}L", $"{plane}L", $"{page}L"),
            (_, KvLayout.Separate) => ($"{plane}L", $"{layout.Layers * plane}L", $"{layout.Layers * page}L"),
            _ => ($"{page}L", $"{plane}L", $"{layout.Layers * page}L"),
        };
    }

    private bool Both(int axes) => From.ReadsAs(axes) && To.ReadsAs(axes);
}
