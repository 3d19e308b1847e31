using Garden.KvCache;

namespace Garden.Generators.Integration;

/// <summary>Plans whose writes and units can be counted by hand.</summary>
public sealed class ReferencePlanTests
{
    [Fact]
    public void DeepSeek_moves_one_page_of_a_layer_a_write()
    {
        // 73 728 B a page are two units; pages apart from each other stay apart.
        List<WriteDescriptor> writes = Expand<DeepSeekV3.Transfer>([7, 3], [0, 2], 10, 0, 100, 0, 61);
        Assert.Equal(2 * 61, writes.Count);
        Assert.All(writes, write => Assert.Equal((73_728L, 2u), (write.Length, write.Units)));
        Assert.Equal(7 * 73_728, writes[0].SourceOffset);
        Assert.Equal(((60 * 10) + 2) * 73_728L, writes[^1].DestinationOffset);
    }

    [Fact]
    public void Pages_adjacent_on_both_sides_become_one_write_with_the_sum_of_units()
    {
        List<WriteDescriptor> writes = Expand<DeepSeekV3.Transfer>([4, 5, 6, 8], [0, 1, 2, 3], 10, 0, 256, 5, 1);
        Assert.Equal([(3 * 73_728L, 6u), (73_728L, 2u)], writes.Select(write => (write.Length, write.Units)));
    }

    [Fact]
    public void A_users_number_keeps_pages_apart_and_counts_each_once()
    {
        List<WriteDescriptor> writes = Expand<DeepSeekV3.Transfer>([4, 5, 6], [0, 1, 2], 10, 0, 192, 5, 1, Immediate.FromNumber(9));
        Assert.Equal([(73_728L, 1u), (73_728L, 1u), (73_728L, 1u)], writes.Select(write => (write.Length, write.Units)));
    }

    [Fact]
    public void A_write_carries_at_most_1023_units()
    {
        int[] pages = [.. Enumerable.Range(0, 600)];
        List<WriteDescriptor> writes = Expand<DeepSeekV3.Transfer>(pages, pages, 700, 0, 600 * 64, 5, 1);
        Assert.Equal([1022u, 178u], writes.Select(write => write.Units));
        Assert.Equal(600 * 73_728L, writes.Sum(write => write.Length));
    }

    [Fact]
    public void A_single_run_above_1023_units_stays_whole_for_the_engine_to_split()
    {
        // A page-major page over all layers is one run however long it is.
        List<WriteDescriptor> writes = Expand<LargePages.Transfer>([1, 2], [0, 1], 10, 0, 2 * 8192, 0, 4);
        Assert.Equal([2048u, 2048u], writes.Select(write => write.Units));
    }

    [Fact]
    public void A_page_major_page_goes_in_one_run_over_its_layers()
    {
        List<WriteDescriptor> writes = Expand<PageMajorInterleaved.Transfer>([5, 1], [2, 0], 6, 0, 5, 1, 2);
        Assert.Equal(2, writes.Count);
        Assert.Equal(2 * PageMajorInterleaved.BytesPerPage, writes[0].Length);
        Assert.Equal(((5 * 3) + 1) * PageMajorInterleaved.BytesPerPage, writes[0].SourceOffset);
        // Separate planes: two runs a page, or one when all layers go and the planes touch.
        Assert.Equal(4, Expand<PageMajorSeparate.Transfer>([5, 1], [2, 0], 6, 0, 5, 1, 2).Count);
        Assert.Equal(2, Expand<PageMajorSeparate.Transfer>([5, 1], [2, 0], 6, 0, 5, 0, 3).Count);
    }

    [Fact]
    public void Two_heads_to_one_move_a_row_a_token_and_plane()
    {
        // The receiver (TP 4, two heads a rank) has the sender's head in every second row.
        List<WriteDescriptor> writes = Expand<LlamaTp8ToTp4>([0, 1], [0], 4, 3, 20, 0, 2, sourceRank: 5, destinationRank: 2);
        Assert.Equal(2 * 2 * 20, writes.Count);
        Assert.All(writes, write => Assert.Equal(256, write.Length));
        Assert.Equal(3 * 512 + 256, writes[0].DestinationOffset);
        Assert.Empty(Expand<LlamaTp8ToTp4>([0, 1], [0], 4, 3, 20, 0, 2, sourceRank: 5, destinationRank: 1));
    }

    [Fact]
    public void A_token_range_is_rounded_outward_to_pages_between_equal_layouts_only()
    {
        Assert.Equal(2 * Llama70Tp8.BytesPerPage, Expand<Llama70Tp8.Transfer>([0, 2], [0, 2], 4, 15, 2, 0, 1).Sum(write => write.Length));
        Assert.Equal(2 * 2 * 256, Expand<LlamaTp8ToTp4>([0, 2], [0], 4, 15, 2, 0, 1).Sum(write => write.Length));
    }

    [Fact]
    public void The_examples_of_the_plans_page_hold()
    {
        Assert.Equal(640 * 1024, Llama70Tp8.PoolBytes(1));
        Assert.Equal(1_700_608, Llama70Tp8.PlaneOffset(100, 2, 7, 1) + Llama70Tp8.ElementOffset(3, 0));
        List<WriteDescriptor> across = Expand<LlamaTp8ToTp4>([4, 2, 7], [0, 3], 10, 0, 48, 0, 80, sourceRank: 5, destinationRank: 2);
        Assert.Equal((7680, 7680, 1_966_080), (across.Count, across.Sum(write => write.Units), across.Sum(write => write.Length)));
        List<WriteDescriptor> apart = Expand<Llama70Tp8.Transfer>([4, 2, 7], [0, 3, 9], 10, 0, 48, 0, 80);
        Assert.Equal((240, 240), (apart.Count, apart.Sum(write => write.Units)));
        List<WriteDescriptor> together = Expand<Llama70Tp8.Transfer>([4, 5, 6], [0, 1, 2], 10, 0, 48, 0, 80);
        Assert.Equal((80, 240, 24 * 1024), (together.Count, together.Sum(write => write.Units), together[0].Length));
    }

    private static List<WriteDescriptor> Expand<TPlan>(
        int[] source, int[] destination, int poolPages, int firstToken, int tokens, int firstLayer, int layers,
        Immediate immediate = default, int sourceRank = 0, int destinationRank = 0)
        where TPlan : unmanaged, IKvTransfer<TPlan>
    {
        using PageList sourcePages = PageList.Create(source);
        using PageList destinationPages = PageList.Create(destination);
        var scenario = new TransferScenario(source, destination, poolPages, poolPages, firstToken, tokens, firstLayer, layers, immediate);
        KvTransferArguments arguments = scenario.Arguments(sourceRank, destinationRank, sourcePages.Handle, destinationPages.Handle);
        arguments.SourceOffset = 0;
        arguments.DestinationOffset = 0;
        TPlan plan = TPlan.Create(in arguments);
        var writes = new List<WriteDescriptor>();
        var span = new WriteDescriptor[16];
        PlanCursor cursor = default;
        while (!cursor.IsCompleted)
            writes.AddRange(span.AsSpan(0, TPlan.Expand(in plan, ref cursor, span)));
        Assert.Equal(writes.Sum(write => (long)write.Units), TPlan.CountUnits(in plan));
        return writes;
    }
}

/// <summary>A page of 128 MiB.</summary>
[KvPageLayout(Element = KvElement.Int8, Layers = 4, LatentSize = 4096, TokensPerPage = 8192, PoolOrder = KvPoolOrder.PageMajor)]
public partial struct LargePages;
