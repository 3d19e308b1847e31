namespace Garden.Generators.KvCache;

/// <summary>A valid layout: the arguments with defaults applied and what follows from them.</summary>
/// <remarks>The enumerations are those of Garden.Core by value; a generator does not reference what it generates for.</remarks>
internal sealed record KvLayout(
    int Element,
    int Layers,
    int KvHeads,
    int HeadSize,
    int TokensPerPage,
    int Planes,
    int Axes,
    int PoolOrder,
    int TensorParallel)
{
    public const int Interleaved = 0, Separate = 1, Latent = 2;
    public const int Nhd = 0, Hnd = 1;
    public const int LayerMajor = 0, PageMajor = 1;

    public static readonly string[] ElementNames = ["Float16", "BFloat16", "Float32", "Float8E4M3", "Float8E5M2", "Int8"];
    public static readonly string[] PlanesNames = ["Interleaved", "Separate", "Latent"];
    public static readonly string[] AxesNames = ["Nhd", "Hnd"];
    public static readonly string[] PoolOrderNames = ["LayerMajor", "PageMajor"];

    private static readonly int[] s_elementBytes = [2, 2, 4, 1, 1, 1];

    public int ElementBytes => s_elementBytes[Element];

    public bool IsLatent => Planes == Latent;

    public int PlaneCount => IsLatent ? 1 : 2;

    public int LocalKvHeads => Math.Max(1, KvHeads / TensorParallel);

    /// <summary>Bytes of one head of one token.</summary>
    public long RowBytes => (long)HeadSize * ElementBytes;

    public long BytesPerPlane => TokensPerPage * LocalKvHeads * RowBytes;

    public long BytesPerPage => PlaneCount * BytesPerPlane;

    public long BytesPerToken => PlaneCount * LocalKvHeads * RowBytes;

    /// <summary>Bytes from one token to the next inside a plane; a page of one token is as long as the token in either axis order.</summary>
    public long TokenStride => ReadsAs(Nhd) ? LocalKvHeads * RowBytes : RowBytes;

    /// <summary>Bytes from one head to the next inside a plane.</summary>
    public long HeadStride => Axes == Nhd ? RowBytes : TokensPerPage * RowBytes;

    /// <summary>With one head or one token a page both axis orders are the same bytes.</summary>
    public bool ReadsAs(int axes) => Axes == axes || LocalKvHeads == 1 || TokensPerPage == 1;

    /// <summary>FNV-1a over the fields in the order of the constructor; documented in docs/kv-layouts.md.</summary>
    public ulong Hash => Fnv1a.Of(Element, Layers, KvHeads, HeadSize, TokensPerPage, Planes, Axes, PoolOrder, TensorParallel);
}
