using Garden.KvCache;

namespace Garden.Benchmarks.Interpreted;

/// <summary>
/// A layout that is known at run time only: an array of strides by axis, as a tensor library would keep it. What the generator
/// turns into constants is multiplied and added here for every offset.
/// </summary>
public sealed class StridedLayout
{
    // Logical axes of a coordinate; a token is counted from the first listed page.
    public const int Layer = 0;
    public const int Token = 1;
    public const int Plane = 2;
    public const int Head = 3;

    public static readonly string[] AxisNames = ["layer", "token", "plane", "head"];

    private readonly long[] _strides;

    private StridedLayout(int tokensPerPage, IReadOnlyDictionary<string, long> named)
    {
        TokensPerPage = tokensPerPage;
        Strides = named;
        _strides = [named["layer"], named["token"], named["plane"], named["head"], named["page"]];
    }

    public int TokensPerPage { get; }

    /// <summary>Bytes from one index to the next, by the axis' name; "token" is the one inside a page.</summary>
    public IReadOnlyDictionary<string, long> Strides { get; }

    public static StridedLayout Of<TLayout>(int poolPages)
        where TLayout : unmanaged, IKvPageLayout<TLayout> =>
        new(
            TLayout.TokensPerPage,
            new Dictionary<string, long>
            {
                ["layer"] = TLayout.PlaneOffset(poolPages, 1, 0, 0),
                ["page"] = TLayout.PlaneOffset(poolPages, 0, 1, 0),
                ["plane"] = TLayout.PlaneCount == 1 ? 0 : TLayout.PlaneOffset(poolPages, 0, 0, 1),
                ["token"] = TLayout.ElementOffset(1, 0),
                ["head"] = TLayout.ElementOffset(0, 1),
            });

    /// <summary>Pages and nothing else: a token is a page.</summary>
    public static StridedLayout OfPages(long stride) =>
        new(1, new Dictionary<string, long> { ["layer"] = 0, ["page"] = stride, ["plane"] = 0, ["token"] = 0, ["head"] = 0 });

    /// <summary>Byte offset of a logical coordinate.</summary>
    public long Offset(ReadOnlySpan<int> coordinate, ReadOnlySpan<int> pages)
    {
        int page = coordinate[Token] / TokensPerPage;
        long offset = pages[page] * _strides[4];
        for (int axis = 0; axis < coordinate.Length; axis++)
        {
            int index = axis == Token ? coordinate[axis] - (page * TokensPerPage) : coordinate[axis];
            offset += index * _strides[axis];
        }

        return offset;
    }
}
