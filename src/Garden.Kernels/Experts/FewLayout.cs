using Garden.Experts;

namespace Garden.Kernels.Experts;

/// <summary>Where the words of <see cref="DispatchSendFew{TRouting, TRows, TTrace}"/> lie in shared memory.</summary>
internal readonly struct FewLayout
{
    /// <summary>Words with a bit for each token.</summary>
    public const int Words = 4;

    /// <summary>Bits of a word.</summary>
    public const int Bits = 32;

    /// <summary>From one choice of all tokens to the next: neither threads with consecutive choices nor those with consecutive tokens meet in a bank.</summary>
    public const int Stride = (Words * Bits) + 4;

    /// <summary>Own words of the kernel: choices of masked ranks, and of experts that do not exist.</summary>
    public const int Dropped = 1;
    public const int Invalid = 2;

    private FewLayout(int ranks, int experts, int topK, int tokens, int own)
    {
        Writable = PeerWords.End(ranks);
        Line = Writable + ranks;
        CombineRow = Line + (2 * ranks);
        StagedLine = CombineRow + ranks;
        Totals = StagedLine + ranks;
        RankTokens = Totals + ranks;
        ChoicesOf = RankTokens + (Words * ranks);
        ExpertTokens = ChoicesOf + ranks;
        RankOf = ExpertTokens + (Words * experts);
        Experts = RankOf + (Stride * topK);
        Weights = Experts + (tokens * topK);
        Targets = Weights + (own * topK);
        Destinations = Targets + (own * topK);
        Counts = Destinations + (2 * own * topK);
        End = Counts + own;
    }

    /// <summary>[rank] 1 when its slot may be written.</summary>
    public int Writable { get; }

    /// <summary>[rank] address of its line, two words.</summary>
    public int Line { get; }

    /// <summary>[rank] the first row of its results.</summary>
    public int CombineRow { get; }

    /// <summary>[rank] where its line begins in the staging.</summary>
    public int StagedLine { get; }

    /// <summary>[rank] rows for it.</summary>
    public int Totals { get; }

    /// <summary>[rank] the tokens that go there, a bit each.</summary>
    public int RankTokens { get; }

    /// <summary>[rank] choices of its experts; they begin at zero, as what follows.</summary>
    public int ChoicesOf { get; }

    /// <summary>[expert] the tokens that chose it, a bit each.</summary>
    public int ExpertTokens { get; }

    /// <summary>[choice of a token][token] its rank, −1 where it goes nowhere.</summary>
    public int RankOf { get; }

    /// <summary>[token][TopK] experts.</summary>
    public int Experts { get; }

    /// <summary>[token of the group][TopK] weights.</summary>
    public int Weights { get; }

    /// <summary>[token of the group][TopK] ranks in ascending order.</summary>
    public int Targets { get; }

    /// <summary>[token of the group][TopK] where the rows go, two words each, 0 for a rank that may not be written.</summary>
    public int Destinations { get; }

    /// <summary>[token of the group] number of its targets.</summary>
    public int Counts { get; }

    /// <summary>Words altogether.</summary>
    public int End { get; }

    public static FewLayout Of<TRouting>(int ranks, int tokens, int groups)
        where TRouting : unmanaged, IExpertRouting<TRouting> => new(ranks, TRouting.Experts, TRouting.TopK, tokens, (tokens + groups - 1) / groups);
}
