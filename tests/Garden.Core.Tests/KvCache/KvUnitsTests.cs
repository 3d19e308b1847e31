using CsCheck;
using Garden.KvCache;

namespace Garden.Core.Tests.KvCache;

public class KvUnitsTests
{
    /// <summary>The receiver counts units for the whole range; the sender may cut it into chunks wherever a job allows.</summary>
    [Fact]
    public void Chunks_at_the_allowed_multiples_carry_the_same_units_as_the_whole()
    {
        AgreeFor<SmallPages.Transfer>();
        AgreeFor<LongPages.Transfer>();
        AgreeFor<SmallToLong>();
        AgreeFor<LongToOdd>();
    }

    [Fact]
    public void Chunk_multiples_are_whole_pages_of_both_sides()
    {
        Assert.Equal(16, KvPrefillJob<SmallPages.Transfer>.ChunkMultiple);
        Assert.Equal(64, KvPrefillJob<SmallToLong>.ChunkMultiple);
        Assert.Equal(192, KvPrefillJob<LongToOdd>.ChunkMultiple);
    }

    private static void AgreeFor<TTransfer>()
        where TTransfer : unmanaged, IKvTransfer<TTransfer> =>
        Gen.Select(Gen.Int[0, 100], Gen.Int[1, 3000], Gen.Int[0, 1000]).Sample((firstToken, tokens, seed) =>
        {
            int multiple = KvPrefillJob<TTransfer>.ChunkMultiple;
            var random = new Random(seed);
            long units = 0, bytes = 0;
            int last = firstToken + tokens;
            for (int first = firstToken; first < last;)
            {
                int end = Math.Min(last, ((first / multiple) + 1 + random.Next(4)) * multiple);
                TTransfer chunk = Plan<TTransfer>(first, end - first);
                units += TTransfer.CountUnits(chunk);
                bytes += TTransfer.CountBytes(chunk);
                first = end;
            }

            TTransfer whole = Plan<TTransfer>(firstToken, tokens);
            Assert.Equal(TTransfer.CountUnits(whole), units);
            Assert.Equal(TTransfer.CountBytes(whole), bytes);
        });

    private static TTransfer Plan<TTransfer>(int firstToken, int tokens)
        where TTransfer : unmanaged, IKvTransfer<TTransfer> =>
        TTransfer.Create(new KvTransferArguments
        {
            SourcePoolPages = 1000,
            DestinationPoolPages = 1000,
            FirstToken = firstToken,
            TokenCount = tokens,
            LayerCount = TTransfer.Layers,
        });
}
