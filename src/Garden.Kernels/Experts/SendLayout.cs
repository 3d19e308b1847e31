using Garden.Experts;

namespace Garden.Kernels.Experts;

/// <summary>
/// Where the words of <see cref="DispatchSend{TRouting, TRows, TTrace}"/> lie in shared memory. Rows and choices are counted twice: ahead of the group's
/// tokens, which is where its own begin, and from there on. Sums have a place of their own: ILGPU puts a load where its value is used, and that may be
/// behind a store to the same word.
/// </summary>
internal readonly struct SendLayout
{
    /// <summary>Tokens of a batch: a word has a bit for each.</summary>
    public const int Batch = 32;

    /// <summary>Own words of the kernel: choices of masked ranks, and of experts that do not exist.</summary>
    public const int Dropped = 1;
    public const int Invalid = 2;

    private SendLayout(int ranks, int copies, int experts, int topK, bool exact)
    {
        Writable = PeerWords.End(ranks);
        Line = Writable + ranks;
        CombineRow = Line + (2 * ranks);
        StagedLine = CombineRow + ranks + 1;
        Totals = StagedLine + ranks + 1;
        Lines = Totals + ranks;
        RankTokens = Lines + ranks;
        ChoicesOf = RankTokens + ranks;
        RowsAhead = ChoicesOf + ranks;
        RowsFrom = RowsAhead + (copies * ranks);
        ChoicesAhead = RowsFrom + (copies * ranks);
        ChoicesFrom = ChoicesAhead + experts;
        ExpertTokens = ChoicesFrom + experts;
        Zeroed = RankTokens;
        ZeroedEnd = ExpertTokens + experts;
        RankOf = ZeroedEnd;
        Weights = RankOf + (Batch * topK);
        Selections = Weights + (Batch * topK);
        Firsts = Selections + (Batch * topK);
        Targets = Firsts + (Batch * topK);
        Destinations = Targets + (Batch * topK);
        Counts = Destinations + (2 * Batch * topK);
        ExpertTotals = Counts + Batch;
        ExpertFirsts = ExpertTotals + (exact ? experts : 0);
        End = ExpertFirsts + (exact ? experts + 1 : 0);
    }

    /// <summary>[rank] 1 when its slot may be written.</summary>
    public int Writable { get; }

    /// <summary>[rank] address of its line, two words.</summary>
    public int Line { get; }

    /// <summary>[rank + 1] the first row of its results.</summary>
    public int CombineRow { get; }

    /// <summary>[rank + 1] where its line begins in the staging.</summary>
    public int StagedLine { get; }

    /// <summary>[rank] rows for it.</summary>
    public int Totals { get; }

    /// <summary>[rank] lengths in the staging.</summary>
    public int Lines { get; }

    /// <summary>[rank] the batch's tokens that go there, a bit each.</summary>
    public int RankTokens { get; }

    /// <summary>[rank] choices of its experts.</summary>
    public int ChoicesOf { get; }

    /// <summary>[copy][rank] rows ahead of the group's tokens; the sum of the copies in the first, then ahead of the batch.</summary>
    public int RowsAhead { get; }

    /// <summary>[copy][rank] rows from there on.</summary>
    public int RowsFrom { get; }

    /// <summary>[expert] choices ahead of the group's tokens, then of the batch.</summary>
    public int ChoicesAhead { get; }

    /// <summary>[expert] choices from there on.</summary>
    public int ChoicesFrom { get; }

    /// <summary>[expert] the batch's tokens that chose it, a bit each.</summary>
    public int ExpertTokens { get; }

    /// <summary>The words that begin at zero.</summary>
    public int Zeroed { get; }

    /// <inheritdoc cref="Zeroed"/>
    public int ZeroedEnd { get; }

    /// <summary>[token of the batch][TopK] ranks of the choices, −1 where a choice goes nowhere.</summary>
    public int RankOf { get; }

    /// <summary>[token of the batch][TopK] weights.</summary>
    public int Weights { get; }

    /// <summary>[token of the batch][TopK] what the row says about the choice.</summary>
    public int Selections { get; }

    /// <summary>[token of the batch][TopK] the rank where a choice is the token's first on it, else −1.</summary>
    public int Firsts { get; }

    /// <summary>[token of the batch][TopK] ranks in ascending order, −1 behind the last.</summary>
    public int Targets { get; }

    /// <summary>[token of the batch][TopK] where the rows go, two words each, 0 for a rank that may not be written.</summary>
    public int Destinations { get; }

    /// <summary>[token of the batch] number of its targets.</summary>
    public int Counts { get; }

    /// <summary>[expert] choices of all tokens; only when each expert's result comes back.</summary>
    public int ExpertTotals { get; }

    /// <summary>[expert + 1] the first row of each expert's results; only then.</summary>
    public int ExpertFirsts { get; }

    /// <summary>Words altogether.</summary>
    public int End { get; }

    public static SendLayout Of<TRouting>(int ranks, int copies)
        where TRouting : unmanaged, IExpertRouting<TRouting> => new(ranks, copies, TRouting.Experts, TRouting.TopK, TRouting.ExactCombine);
}
