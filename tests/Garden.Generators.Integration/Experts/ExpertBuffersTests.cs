using System.Runtime.CompilerServices;
using Garden.Experts;
using Garden.Testing;

namespace Garden.Generators.Integration.Experts;

public sealed class ExpertBuffersTests
{
    private const double GiB = 1L << 30;

    [Fact]
    public void Rows_hold_payload_scales_experts_and_weights()
    {
        // 7168 FP8 elements, 56 scales, 8 experts and 8 weights of 4 bytes; 7456 is a multiple of 32.
        Assert.Equal((7168, 7168 + (56 * 4), 7168 + 224 + 32, 7456), (DeepSeekV3Fp8.ScalesOffset, DeepSeekV3Fp8.SelectionsOffset, DeepSeekV3Fp8.WeightsOffset, DeepSeekV3Fp8.RowBytes));
        Assert.Equal((14_336, 14_336, 14_368, 14_400), (DeepSeekV3Bf16.ScalesOffset, DeepSeekV3Bf16.SelectionsOffset, DeepSeekV3Bf16.WeightsOffset, DeepSeekV3Bf16.RowBytes));
        Assert.Equal(14_336, DeepSeekV3Fp8.CombineRowBytes);
        // 16 bytes, 2 scales filled up to a vector, 3 experts and 3 weights: 56 of 64 bytes.
        Assert.Equal((16, 32, 44, 64), (SevenTopThree.ScalesOffset, SevenTopThree.SelectionsOffset, SevenTopThree.WeightsOffset, SevenTopThree.RowBytes));
        Assert.Equal((56, 2, 0), (DeepSeekV3Fp8.ScaleCount, SevenTopThree.ScaleCount, DeepSeekV3Bf16.ScaleCount));
    }

    [Fact]
    public void Memory_of_64_ranks_is_within_its_budget()
    {
        // 56 slots for results of other nodes, which are longer than FP8 rows, two epochs of 8 with 128 rows, two of 128 × 8 results, 64 lines of counters.
        Assert.Equal(
            (56 * (128 + (128 * 14_336))) + (2 * 8 * (128 + (128 * 7456))) + (2 * 128 * 8 * 14_336) + (64 * 128), DeepSeekV3Fp8.ReceiveBytes(64, 8, 128));
        // Staging: 56 lines and 128 × 8 rows. Nothing on one node.
        Assert.Equal((56 * 256) + (128 * 8 * 7456), DeepSeekV3Fp8.DispatchStagingBytes(64, 8, 128));
        Assert.Equal(0, DeepSeekV3Fp8.DispatchStagingBytes(8, 8, 4096));
        // All that a rank registers.
        Assert.InRange(DeepSeekV3Fp8.RegisteredBytes(64, 8, 128) / GiB, 0.14, 0.2);
        Assert.InRange(DeepSeekV3Fp8.RegisteredBytes(64, 8, 4096) / GiB, 4.5, 5);
        Assert.InRange(DeepSeekV3Bf16.RegisteredBytes(64, 8, 4096) / GiB, 5, 8);
        // On one node slots are of two epochs: also then.
        Assert.InRange(DeepSeekV3Fp8.RegisteredBytes(64, 64, 4096) / GiB, 4.5, 5);
        Assert.InRange(DeepSeekV3Bf16.RegisteredBytes(64, 64, 4096) / GiB, 7.5, 8);
    }

    [Fact]
    public void A_row_for_each_experts_result_takes_a_row_for_each_choice()
    {
        Assert.Equal(2L * 128 * 8 * 14_336, DeepSeekV3Exact.CombineBytes(2, 128));
        Assert.Equal(2L * 128 * 2 * 14_336, DeepSeekV3Fp8.CombineBytes(2, 128));
        // Four experts on each of 64 ranks, so four results for a token at most; eight of 32 on each of 8.
        Assert.Equal((128 * 4, 128 * 8), (ExpertBuffers.ResultRows<DeepSeekV3Exact>(64, 128), ExpertBuffers.ResultRows<DeepSeekV3Exact>(8, 128)));
        Assert.Equal(128 + (128L * 4 * 14_336), ExpertBuffers.RemoteSlotBytes<DeepSeekV3Exact>(64, 128));
        // What one write carries, 67 043 328 bytes, is now 1169 tokens with four results.
        Assert.Equal(1169, ExpertGroup.Of<DeepSeekV3Exact>(64, 8, 1169, 1).Tokens);
        Assert.Contains("at most 1169 tokens", Assert.Throws<PlanException>(() => ExpertGroup.Of<DeepSeekV3Exact>(64, 8, 1170, 1)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Results_of_choices_lie_by_expert_then_token()
    {
        var group = ExpertGroup.Of<EightTopTwoExact>(4, 2, 4, 1);
        int[] topK = [0, 1, 7, 3, -1, 5, 3, 0], rows = new int[4], selections = new int[8], slots = new int[8], ordinals = new int[8], firstRows = new int[8], sources = new int[8];
        ExpertDispatch.Count<EightTopTwoExact>(group, topK, rows, selections, slots, ordinals);
        Assert.Equal(7, ExpertDispatch.CombineRows(selections, firstRows));
        ExpertCombine.ExactSources<EightTopTwoExact>(group, topK, ordinals, firstRows, sources);
        Assert.Equal([0, 2, 6, 3, -1, 5, 4, 1], sources);
        Assert.Throws<PlanException>(() => ExpertCombine.Sources<EightTopTwoExact>(group, topK, slots, rows, sources));
        Assert.Throws<PlanException>(() => ExpertCombine.ExactSources<EightTopTwo>(group, topK, ordinals, firstRows, sources));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 5)]
    [InlineData(7, 4)]
    public void Slots_and_results_of_both_parities_tile_their_regions(int ranks, int tokens)
    {
        var group = ExpertGroup.Of<SevenTopThree>(ranks, 3, tokens, 1);
        long slot = ExpertBuffers.SlotBytes<SevenTopThree>(ranks, tokens), remote = ExpertBuffers.RemoteSlotBytes<SevenTopThree>(ranks, tokens);
        Assert.Equal((0, 0), (slot % ExpertBuffers.LineAlignment, remote % ExpertBuffers.LineAlignment));
        Assert.True(slot >= ExpertBuffers.DispatchWriteBytes<SevenTopThree>(ranks, tokens));
        Assert.True(remote >= ExpertBuffers.DispatchWriteBytes<SevenTopThree>(ranks, tokens));
        Assert.True(remote >= ExpertBuffers.LineBytes<SevenTopThree>(ranks) + (tokens * SevenTopThree.CombineRowBytes));
        long most = 0;
        for (int rank = 0; rank < ranks; rank++)
        {
            int[] others = [.. Enumerable.Range(0, ranks).Where(other => other / 3 != rank / 3)], node = [.. Enumerable.Range(0, ranks).Where(other => other / 3 == rank / 3)];
            long next = 0;
            foreach (int source in others)
            {
                Assert.Equal((next, next), (ExpertBuffers.SlotOffset<SevenTopThree>(group, 6, rank, source), ExpertBuffers.SlotOffset<SevenTopThree>(group, 7, rank, source)));
                Assert.Equal(next + ExpertBuffers.LineBytes<SevenTopThree>(ranks), ExpertBuffers.ResultsOffset<SevenTopThree>(group, rank, source));
                next += remote;
            }

            for (uint epoch = 6; epoch < 8; epoch++)
            {
                foreach (int source in node)
                {
                    Assert.Equal(next, ExpertBuffers.SlotOffset<SevenTopThree>(group, epoch, rank, source));
                    Assert.Equal(next, ExpertBuffers.SlotOffset<SevenTopThree>(group, epoch + 2, rank, source));
                    next += slot;
                }
            }

            most = Math.Max(most, next);
        }

        Assert.Equal(SevenTopThree.DispatchBytes(ranks, 3, tokens), most);

        int rows = ExpertBuffers.CombineRows<SevenTopThree>(ranks, tokens);
        Assert.Equal(tokens * Math.Min(3, ranks), rows);
        Assert.Equal(0, ExpertBuffers.CombineRowOffset<SevenTopThree>(group, 6, 0));
        long second = ExpertBuffers.CombineRowOffset<SevenTopThree>(group, 7, 0);
        Assert.Equal(0, second % ExpertBuffers.LineAlignment);
        Assert.True(second >= ExpertBuffers.CombineRowOffset<SevenTopThree>(group, 6, rows - 1) + SevenTopThree.CombineRowBytes);
        Assert.Equal(SevenTopThree.CombineBytes(ranks, tokens), 2 * second);
        Assert.Equal(256, ExpertBuffers.CounterOffset(2));
        Assert.Equal(
            SevenTopThree.ReceiveBytes(ranks, 3, tokens),
            SevenTopThree.DispatchBytes(ranks, 3, tokens) + SevenTopThree.CombineBytes(ranks, tokens) + ExpertBuffers.CounterBytes(ranks));
    }

    [Theory]
    [InlineData(64, 8, 56)]
    [InlineData(8, 8, 0)]
    [InlineData(9, 8, 8)]
    [InlineData(5, 2, 4)]
    [InlineData(3, 1, 2)]
    [InlineData(2, 8, 0)]
    public void Remote_ranks_are_those_that_the_worst_placed_rank_sees(int ranks, int perNode, int remote)
    {
        Assert.Equal(remote, ExpertBuffers.RemoteRanks(ranks, perNode));
        Assert.Equal(remote, Enumerable.Range(0, ranks).Max(rank => Enumerable.Range(0, ranks).Count(other => other / perNode != rank / perNode)));
    }

    [Fact]
    public void The_worst_case_fills_the_output_and_no_more()
    {
        // Every token of every rank chooses both experts of a rank, whose 2 × 8 rows are filled up to 16 and 16.
        var group = ExpertGroup.Of<EightTopTwo>(4, 4, 2, 16);
        int[] counts = [2, 2, 2, 2, 2, 2, 2, 2], expertRows = new int[3], sourceRows = new int[8];
        Assert.Equal(32, ExpertReceive.Pack<EightTopTwo>(group, 0, counts, expertRows, sourceRows));
        Assert.Equal([0, 16, 32], expertRows);
        Assert.Equal(16 + (2 * 15), EightTopTwo.ContiguousRows(4, 2, 16));
        Assert.Equal(2 * 4 * 2, EightTopTwo.SlabRows(4, 2));
    }

    [Fact]
    public void Structs_that_kernels_see_have_their_sizes()
    {
        Assert.Equal(ExpertRankHeader.SizeInBytes, Unsafe.SizeOf<ExpertRankHeader>());
        Assert.Equal(ExpertPeerCounters.SizeInBytes, Unsafe.SizeOf<ExpertPeerCounters>());
        Assert.Equal(16, Unsafe.SizeOf<ExpertGroup>());
        Assert.False(RuntimeHelpers.IsReferenceOrContainsReferences<ExpertGroup>());
    }

    [Fact]
    public void The_group_of_the_attribute_is_the_default()
    {
        Assert.Equal(DeepSeekV3Bf16.Group(64, 8), ExpertGroup.Of<DeepSeekV3Bf16>());
        Assert.Equal("64 ranks, 8 a node, 4096 tokens a rank, padding 128", ExpertGroup.Of<DeepSeekV3Bf16>().ToString());
        Assert.Contains("ranks is 0", Assert.Throws<PlanException>(() => ExpertGroup.Of<EightTopTwo>()).Message);
    }

    [Theory]
    [InlineData(0, 1, 1, 1, "ranks is 0")]
    [InlineData(2, -1, 1, 1, "ranks per node is -1")]
    [InlineData(2, 1, 0, 1, "tokens per rank is 0")]
    [InlineData(2, 1, 1, 0, "expert padding is 0")]
    [InlineData(3, 1, 1, 1, "256 experts cannot be divided over 3 ranks")]
    [InlineData(2, 1, 4656, 1, "send at most 4655 tokens")]
    [InlineData(1, 1, 2, int.MaxValue, "rows of an expert-contiguous output is")]
    public void A_group_that_cannot_be_is_refused(int ranks, int perNode, int tokens, int padding, string message) =>
        Assert.Contains(message, Assert.Throws<PlanException>(() => DeepSeekV3Bf16.Group(ranks, perNode, tokens, padding)).Message);

    [Fact]
    public void What_compiles_makes_a_group_and_one_token_more_does_not()
    {
        // The compiler's limit (GRDN0037) and the group's are one.
        Assert.Equal(4655, DeepSeekV3Bf16.Group(256, 8, 4655).Tokens);
        Assert.Throws<PlanException>(() => DeepSeekV3Bf16.Group(256, 8, 4656));
        Assert.True(TransferUnits.OfRun(ExpertBuffers.DispatchWriteBytes<DeepSeekV3Bf16>(256, 4655)) <= TransferUnits.MaxPerWrite);
    }

    [Fact]
    public void The_hash_tells_routings_apart()
    {
        // FNV-1a over Experts, TopK, HiddenSize, Element, ScaleBlock, CombineElement, PadExperts, ExactCombine.
        ulong hash = 14695981039346656037;
        foreach (int value in (int[])[256, 8, 7168, (int)ExpertElement.Float8E4M3, 128, (int)ExpertElement.BFloat16, 0, 0])
        {
            foreach (byte part in BitConverter.GetBytes(value))
                hash = (hash ^ part) * 1099511628211;
        }

        Assert.Equal(DeepSeekV3Fp8.RoutingHash, hash);
        ulong[] hashes = [DeepSeekV3Fp8.RoutingHash, DeepSeekV3Exact.RoutingHash, DeepSeekV3Bf16.RoutingHash, EightTopTwo.RoutingHash, SevenTopThree.RoutingHash];
        Assert.Equal(hashes.Length, hashes.Distinct().Count());
    }

    [Fact]
    public void An_exchange_allocates_nothing()
    {
        var group = ExpertGroup.Of<EightTopTwo>(4, 2, 4, 16);
        int[] topK = [0, 1, 7, 3, -1, 5, 2, 6], rows = new int[4], selections = new int[8], slots = new int[8], ordinals = new int[8], combineRows = new int[4];
        int[] counts = new int[8], expertRows = new int[3], sourceRows = new int[8], local = [0, 1], inverse = new int[2], sources = new int[8];
        byte[] line = new byte[ExpertBuffers.LineBytes<EightTopTwo>(4)], row = new byte[EightTopTwo.RowBytes];
        float[] weights = [0.5f, 0.5f];
        Assert.Equal(0, Allocations.Least(() =>
        {
            ExpertDispatch.Count<EightTopTwo>(group, topK, rows, selections, slots, ordinals);
            ExpertDispatch.CombineRows(rows, combineRows);
            ExpertDispatch.WriteLine<EightTopTwo>(group, 0, 1, rows[0], combineRows[0], selections, line);
            ExpertDispatch.WriteSelections<EightTopTwo>(group, 0, topK.AsSpan(0, 2), ordinals.AsSpan(0, 2), weights, row);
            ExpertReceive.ReadLine<EightTopTwo>(group, 0, line, counts.AsSpan(0, 2));
            ExpertReceive.Pack<EightTopTwo>(group, 0, counts, expertRows, sourceRows);
            ExpertReceive.Place<EightTopTwo>(group, 0, local, sourceRows.AsSpan(0, 2), inverse);
            ExpertCombine.Sources<EightTopTwo>(group, topK, slots, combineRows, sources);
        }));
    }
}
