using Garden.KvCache;

namespace Garden.Generators.Integration;

/// <summary>What a transfer moves, and where the pages of both sides are.</summary>
public sealed record TransferScenario(
    int[] SourcePages,
    int[] DestinationPages,
    int SourcePoolPages,
    int DestinationPoolPages,
    int FirstToken,
    int TokenCount,
    int FirstLayer,
    int LayerCount,
    Immediate Immediate = default)
{
    /// <summary>How the pages of a list lie in their pool.</summary>
    public enum Order
    {
        /// <summary>0, 1, 2, …: everything that can touch does.</summary>
        Dense,

        /// <summary>Ascending, with gaps here and there.</summary>
        Ascending,

        /// <summary>Any order.</summary>
        Shuffled,
    }

    /// <summary>True when the source's pages ascend, so that list order is address order.</summary>
    public bool SourceAscends => SourcePages.Zip(SourcePages.Skip(1)).All(pair => pair.First < pair.Second);

    public static TransferScenario Create<TPlan>(
        int firstToken, int tokens, int layerSeed, Order source, Order destination, int seed, Immediate immediate = default)
        where TPlan : unmanaged, IKvTransfer<TPlan>
    {
        var random = new Random(seed);
        int end = firstToken + tokens;
        int firstLayer = layerSeed % TPlan.Layers;
        // One seed in four takes all layers, which is where layers touch.
        int layers = layerSeed % 4 == 0 ? TPlan.Layers : 1 + (layerSeed / 7 % (TPlan.Layers - firstLayer));
        (int[] from, int fromPool) = Pages(source, Ceiling(end, TPlan.SourceTokensPerPage), random);
        (int[] to, int toPool) = Pages(destination, Ceiling(end, TPlan.DestinationTokensPerPage), random);
        return new TransferScenario(from, to, fromPool, toPool, firstToken, tokens, layers == TPlan.Layers ? 0 : firstLayer, layers, immediate);
    }

    public KvTransferArguments Arguments(int sourceRank, int destinationRank, PageListHandle sourcePages, PageListHandle destinationPages) => new()
    {
        Immediate = Immediate,
        SourcePoolPages = SourcePoolPages,
        DestinationPoolPages = DestinationPoolPages,
        FirstToken = FirstToken,
        TokenCount = TokenCount,
        FirstLayer = FirstLayer,
        LayerCount = LayerCount,
        SourceRank = sourceRank,
        DestinationRank = destinationRank,
        SourcePages = sourcePages,
        DestinationPages = destinationPages,
        SourceOffset = 4096,
        DestinationOffset = 8192,
    };

    public override string ToString() =>
        $"tokens {FirstToken}+{TokenCount}, layers {FirstLayer}+{LayerCount}, pages [{string.Join(' ', SourcePages)}]/{SourcePoolPages} -> [{string.Join(' ', DestinationPages)}]/{DestinationPoolPages}, {Immediate}";

    private static (int[] Pages, int Pool) Pages(Order order, int count, Random random)
    {
        // At least one page, so that a pool of a single page (where planes and layers touch) occurs.
        int pool = Math.Max(1, order == Order.Dense ? count + (random.Next(2) * random.Next(3)) : count + random.Next(4));
        int[] pages = [.. Enumerable.Range(0, pool)];
        if (order != Order.Dense)
            random.Shuffle(pages);
        pages = pages[..count];
        if (order == Order.Ascending)
            Array.Sort(pages);
        return (pages, pool);
    }

    private static int Ceiling(int tokens, int tokensPerPage) => (tokens + tokensPerPage - 1) / tokensPerPage;
}
