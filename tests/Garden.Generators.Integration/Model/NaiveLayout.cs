using Garden.KvCache;

namespace Garden.Generators.Integration;

/// <summary>The layout as a multi-dimensional array in row-major order: axes by name, strides by multiplication, nothing clever.</summary>
public sealed class NaiveLayout<TLayout>
    where TLayout : unmanaged, IKvPageLayout<TLayout>
{
    private readonly Dictionary<string, long> _strides = [];

    public NaiveLayout(int poolPages)
    {
        string[] outer = (TLayout.PoolOrder, TLayout.Planes) switch
        {
            (KvPoolOrder.LayerMajor, KvPlanes.Separate) => ["layer", "plane", "page"],
            (KvPoolOrder.LayerMajor, _) => ["layer", "page", "plane"],
            (_, KvPlanes.Separate) => ["page", "plane", "layer"],
            _ => ["page", "layer", "plane"],
        };
        string[] inner = TLayout.Axes == KvAxisOrder.Nhd ? ["token", "head"] : ["head", "token"];
        long stride = (long)TLayout.HeadSize * TLayout.ElementBytes;
        foreach (string axis in outer.Concat(inner).Reverse())
        {
            _strides[axis] = stride;
            stride *= axis switch
            {
                "layer" => TLayout.Layers,
                "page" => poolPages,
                "plane" => TLayout.PlaneCount,
                "token" => TLayout.TokensPerPage,
                _ => Heads.Length / (TLayout.KvHeads >= TLayout.TensorParallel ? TLayout.TensorParallel : Heads.Length),
            };
        }

        Bytes = stride;
    }

    public static int RowBytes => TLayout.HeadSize * TLayout.ElementBytes;

    /// <summary>Bytes of the pool.</summary>
    public long Bytes { get; }

    private static int[] Heads => [.. Enumerable.Range(0, TLayout.KvHeads)];

    /// <summary>The model's heads a rank holds, in order.</summary>
    public static int[] HeadsOf(int rank) =>
        TLayout.KvHeads >= TLayout.TensorParallel
            ? Heads.Chunk(TLayout.KvHeads / TLayout.TensorParallel).ElementAt(rank)
            : [rank / (TLayout.TensorParallel / TLayout.KvHeads)];

    /// <summary>Byte offset of a row: one local head of one token.</summary>
    public long Offset(int layer, int page, int plane, int token, int head) =>
        (layer * _strides["layer"]) + (page * _strides["page"]) + (plane * _strides["plane"])
        + (token * _strides["token"]) + (head * _strides["head"]);
}
