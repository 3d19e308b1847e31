using Garden.Fabric;
using Garden.KvCache;

namespace Garden.Core.Tests.KvCache;

public class KvStreamingTests
{
    [Theory]
    [InlineData(1, null, int.MaxValue)]
    [InlineData(1, null, 32)]
    [InlineData(4, null, 64)]
    [InlineData(4, 11, 16)]
    [InlineData(2, 12, int.MaxValue)]
    public async Task A_prompt_arrives_whole_whatever_the_lanes_the_order_and_the_chunks(int nics, int? reorderSeed, int chunkTokens)
    {
        await using KvPair pair = await KvPair.CreateAsync(nics, reorderSeed);
        foreach (int tokens in new[] { 1, 16, 333, 700 })
        {
            Task<KvDelivery> request = pair.Decoder.RequestAsync(pair.Peer, pair.Request(tokens, id: 3));
            await pair.ServeAsync(chunkTokens).WaitAsync(KvPair.Limit);
            KvDelivery delivery = await request.WaitAsync(KvPair.Limit);
            pair.AssertDelivered(delivery, 3);
            Assert.Equal((((tokens + 15) / 16) * SmallPages.BytesPerPage * SmallPages.Layers) + KvPair.TailBytes, delivery.Bytes);
            foreach (int page in delivery.Pages.Pages)
                pair.PoisonPage(page);
            delivery.Pages.Dispose();
        }

        Assert.Equal(KvPair.PoolPages, pair.DestinationPages.FreePages);
        Assert.Equal(KvPair.PoolPages, pair.SourcePages.FreePages);
        Assert.Equal(0, pair.Decoder.IgnoredMessages + pair.Prefiller.IgnoredMessages);
    }

    [Fact]
    public async Task A_prompt_of_more_chunks_and_layers_than_the_engine_has_transfers_arrives()
    {
        await using KvPair pair = await KvPair.CreateAsync(maxTransfers: 32);
        Task<KvDelivery> request = pair.Decoder.RequestAsync(pair.Peer, pair.Request(1500));
        await pair.ServeAsync(chunkTokens: 16).WaitAsync(KvPair.Limit);
        pair.AssertDelivered(await request.WaitAsync(KvPair.Limit), 0);
    }

    [Fact]
    public async Task A_pages_message_is_cut_into_parts_that_may_overtake_each_other()
    {
        await using KvPair pair = await KvPair.CreateAsync(nics: 2, reorderSeed: 5, maxMessageLength: 512);
        Task<KvDelivery> request = pair.Decoder.RequestAsync(pair.Peer, pair.Request(1500) with { Payload = new byte[3000] });
        await pair.ServeAsync().WaitAsync(KvPair.Limit);
        pair.AssertDelivered(await request.WaitAsync(KvPair.Limit), 0);
    }

    [Fact]
    public async Task Only_the_asked_layers_and_pages_are_written()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        KvRequest whole = pair.Request(64);
        Task<KvDelivery> request = pair.Decoder.RequestAsync(pair.Peer, whole);
        await pair.ServeAsync();
        KvDelivery delivery = await request.WaitAsync(KvPair.Limit);
        for (int page = 0; page < KvPair.PoolPages; page++)
            Assert.Equal(!delivery.Pages.Pages.Contains(page), pair.IsUntouched(page));
    }

    [Fact]
    public async Task Nothing_new_to_compute_still_brings_the_tail()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        Task<KvDelivery> request = pair.Decoder.RequestAsync(pair.Peer, pair.Request(0, id: 2));
        await pair.ServeAsync();
        pair.AssertDelivered(await request.WaitAsync(KvPair.Limit), 2);
    }

    [Fact]
    public async Task A_request_without_a_tail_ends_with_an_immediate_alone()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        Task<KvDelivery> request = pair.Decoder.RequestAsync(pair.Peer, pair.Request(40, tailBytes: 0));
        await pair.ServeAsync();
        pair.AssertDelivered(await request.WaitAsync(KvPair.Limit), 0, tailBytes: 0);
    }

    [Fact]
    public async Task Many_requests_at_once_keep_apart()
    {
        await using KvPair pair = await KvPair.CreateAsync(nics: 3, reorderSeed: 9);
        Task<KvDelivery>[] requests = [.. Enumerable.Range(0, 8).Select(id => pair.Decoder.RequestAsync(pair.Peer, pair.Request(150, id: id)))];
        for (int i = 0; i < requests.Length; i++)
            await pair.ServeAsync(32).WaitAsync(KvPair.Limit);
        for (int id = 0; id < requests.Length; id++)
            pair.AssertDelivered(await requests[id].WaitAsync(KvPair.Limit), id);
    }

    [Fact]
    public async Task The_count_alone_completes_a_request_where_completions_are_local_only()
    {
        await using KvPair pair = await KvPair.CreateAsync(completion: FabricCompletionLevel.LocalOnly);
        Task<KvDelivery> request = pair.Decoder.RequestAsync(pair.Peer, pair.Request(500));
        await pair.ServeAsync(64).WaitAsync(KvPair.Limit);
        pair.AssertDelivered(await request.WaitAsync(KvPair.Limit), 0);
    }

    [Fact]
    public async Task A_layer_leaves_as_soon_as_it_is_done()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        KvRequest request = pair.Request(32);
        int[] pages = request.Pages.Pages.ToArray();
        Task<KvDelivery> running = pair.Decoder.RequestAsync(pair.Peer, request);
        await using KvPrefillJob<SmallPages.Transfer> job = await pair.NextJobAsync();
        job.LayerDone(0);
        // Nothing else is signalled: the first layer's pages arrive all the same.
        Assert.True(SpinWait.SpinUntil(() => pages.All(page => !pair.IsUntouched(page)), KvPair.Limit));
        job.LayerDone(3);
        await job.FinishAsync(new byte[KvPair.TailBytes]);
        await running.WaitAsync(KvPair.Limit);
    }

    [Fact]
    public async Task Wrong_use_of_a_job_is_refused_by_name()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        Task<KvDelivery> running = pair.Decoder.RequestAsync(pair.Peer, pair.Request(100));
        await using KvPrefillJob<SmallPages.Transfer> job = await pair.NextJobAsync();
        Assert.Contains("multiple of 16", Assert.Throws<ArgumentException>(() => job.BeginChunk(0, 40)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => job.BeginChunk(16, 16));
        job.BeginChunk(0, 48);
        job.LayerDone(1);
        Assert.Throws<ArgumentOutOfRangeException>(() => job.LayerDone(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => job.LayerDone(4));
        Assert.Contains("2 layers", Assert.Throws<InvalidOperationException>(() => job.BeginChunk(48, 52)).Message, StringComparison.Ordinal);
        Assert.Contains("1000 bytes; got 3", (await Assert.ThrowsAsync<ArgumentException>(() => job.FinishAsync(new byte[3]))).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<InvalidOperationException>(() => job.FinishAsync(new byte[KvPair.TailBytes]));
        job.LayerDone(3);
        job.BeginChunk(48, 52);
        job.LayerDone(3);
        await job.FinishAsync(new byte[KvPair.TailBytes]);
        await running.WaitAsync(KvPair.Limit);
    }

    [Fact]
    public async Task Requests_that_do_not_fit_are_refused_before_anything_is_sent()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        await Refused(pair.Request(16) with { TokenCount = 17 }, "need 2 pages of 16; the lease has 1");
        await Refused(pair.Request(16) with { FirstLayer = 3, LayerCount = 2 }, "4 layers");
        await Refused(pair.Request(16) with { DestinationRank = 1 }, "Ranks 0 → 1");
        await Refused(pair.Request(16) with { TailOffset = 16 * KvPair.TailBytes }, "outside the tail region");
        await Refused(pair.Request(16, tailBytes: 2 * KvPair.TailBytes), "takes at most 1000");
        Assert.Equal(KvPair.PoolPages, pair.DestinationPages.FreePages);

        async Task Refused(KvRequest request, string because) =>
            Assert.Contains(because, (await Assert.ThrowsAsync<PlanException>(() => pair.Decoder.RequestAsync(pair.Peer, request))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Reporting_a_layer_allocates_nothing()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        Task<KvDelivery> running = pair.Decoder.RequestAsync(pair.Peer, pair.Request(1500));
        await using KvPrefillJob<SmallPages.Transfer> job = await pair.NextJobAsync();
        job.BeginChunk(0, 16);
        job.LayerDone(3);
        int chunk = 1;
        // A chunk may grow the list of chunks; nothing is per layer.
        Assert.Equal(0, Garden.Testing.Allocations.Least(() =>
        {
            job.BeginChunk(chunk++ * 16, 16);
            for (int layer = 0; layer < 4; layer++)
                job.LayerDone(layer);
        }));
        job.BeginChunk(chunk * 16, 1500 - (chunk * 16));
        job.LayerDone(3);
        await job.FinishAsync(new byte[KvPair.TailBytes]);
        await running.WaitAsync(KvPair.Limit);
    }
}
