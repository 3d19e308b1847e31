namespace Garden.Generators.Experts;

/// <summary>A routing: the arguments with defaults applied, and the row layout that follows from them.</summary>
/// <remarks>
/// The enumeration is that of Garden.Core by value. Only the row is laid out here; sizes of buffers are functions in Garden.Core
/// (ExpertBuffers), which <see cref="ExpertRules"/> repeats as far as the compiler can check them.
/// </remarks>
internal sealed record ExpertRouting(
    int Experts,
    int TopK,
    int HiddenSize,
    int Element,
    int ScaleBlock,
    int CombineElement,
    int MaxTokens,
    int Ranks,
    int RanksPerNode,
    int ExpertPadding,
    bool PadExperts,
    bool ExactCombine)
{
    /// <summary>Bytes that a GPU thread loads or stores at once.</summary>
    public const int VectorBytes = 16;

    /// <summary>The element type that has scales.</summary>
    public const int Float8 = 3;

    public static readonly string[] ElementNames = ["BFloat16", "Float16", "Float32", "Float8E4M3"];

    private static readonly int[] s_elementBytes = [2, 2, 4, 1];

    // A sector of GPU memory: rows that share none are written without reading.
    private const int RowAlignment = 32;

    public int ElementBytes => BytesOf(Element);

    public int CombineElementBytes => BytesOf(CombineElement);

    public int ScaleCount => ScaleBlock == 0 ? 0 : HiddenSize / ScaleBlock;

    public long ScalesOffset => (long)HiddenSize * ElementBytes;

    public long SelectionsOffset => Align(ScalesOffset + (4L * ScaleCount), VectorBytes);

    public long WeightsOffset => SelectionsOffset + (4L * TopK);

    public long RowBytes => Align(WeightsOffset + (4L * TopK), RowAlignment);

    public long CombineRowBytes => Align((long)HiddenSize * CombineElementBytes, RowAlignment);

    /// <summary>FNV-1a over what all ranks must share at compile time; documented in docs/experts.md.</summary>
    public ulong Hash => Fnv1a.Of(Experts, TopK, HiddenSize, Element, ScaleBlock, CombineElement, PadExperts ? 1 : 0, ExactCombine ? 1 : 0);

    public static int BytesOf(int element) => s_elementBytes[element];

    private static long Align(long bytes, long alignment) => (bytes + alignment - 1) & -alignment;
}
