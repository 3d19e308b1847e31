using Garden.Experts;

namespace Garden.Kernels.Experts;

/// <summary>Where the words of <see cref="DispatchReceive{TRouting, TSize, TTrace}"/> lie in shared memory.</summary>
internal readonly struct ReceiveLayout
{
    /// <summary>Own words of the kernel, behind those of <see cref="PeerWords"/>: not zero when a line was refused.</summary>
    public const int Refused = 7;

    private ReceiveLayout(int ranks, int expertsPerRank, int batch, int topK, bool exact)
    {
        Rows = PeerWords.End(ranks);
        FirstRows = Rows + ranks;
        CombineRows = FirstRows + ranks + 1;
        Came = CombineRows + ranks;
        Arrived = Came + ranks;
        Headers = Arrived + ranks;
        Counts = Headers + (4 * ranks);
        Bases = Counts + (ranks * expertsPerRank);
        Totals = Bases + (ranks * expertsPerRank);
        Starts = Totals + expertsPerRank;
        RowAddress = Starts + expertsPerRank + 1;
        RowSource = RowAddress + (2 * batch);
        RowPlace = RowSource + batch;
        Outputs = RowPlace + batch;
        Packed = Outputs + (batch * topK);
        Copies = Packed + (batch * topK);
        SourceFirsts = Copies + batch;
        End = SourceFirsts + (exact ? ranks * expertsPerRank : 0);
    }

    /// <summary>[source] rows.</summary>
    public int Rows { get; }

    /// <summary>[source + 1] first row of each source.</summary>
    public int FirstRows { get; }

    /// <summary>[source] where its results go.</summary>
    public int CombineRows { get; }

    /// <summary>[source] 1 when it came and its line can be.</summary>
    public int Came { get; }

    /// <summary>[source] 1 when its flag was seen.</summary>
    public int Arrived { get; }

    /// <summary>[source] its line's header, four words.</summary>
    public int Headers { get; }

    /// <summary>[source][expert] counts.</summary>
    public int Counts { get; }

    /// <summary>[source][expert] rows of the expert ahead of the source.</summary>
    public int Bases { get; }

    /// <summary>[expert] rows.</summary>
    public int Totals { get; }

    /// <summary>[expert + 1] first row of each expert.</summary>
    public int Starts { get; }

    /// <summary>[row of the batch] its address, two words.</summary>
    public int RowAddress { get; }

    /// <summary>[row of the batch] its source, −1 for a slot without a row.</summary>
    public int RowSource { get; }

    /// <summary>[row of the batch] where its inverse lies.</summary>
    public int RowPlace { get; }

    /// <summary>[row of the batch][TopK] the output row of each choice, or −1.</summary>
    public int Outputs { get; }

    /// <summary>[row of the batch][TopK] those that are, together.</summary>
    public int Packed { get; }

    /// <summary>[row of the batch] how many they are.</summary>
    public int Copies { get; }

    /// <summary>[source][expert] rows of the source's choices of experts ahead; only when each expert's result goes back.</summary>
    public int SourceFirsts { get; }

    /// <summary>Words altogether.</summary>
    public int End { get; }

    public static ReceiveLayout Of<TRouting>(int ranks, int expertsPerRank, int groupThreads)
        where TRouting : unmanaged, IExpertRouting<TRouting> => new(ranks, expertsPerRank, RowList.Batch(groupThreads), TRouting.TopK, TRouting.ExactCombine);
}
