using Garden.KvCache;

namespace Garden.Core.Tests.KvCache;

public class KvFailureTests
{
    [Fact]
    public async Task L10_another_layout_is_refused_with_both_hashes()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        await pair.Decoder.DisposeAsync();
        await using var other = new KvDecoder<SmallToLong>(pair.DecodeEngine, new KvDecoderOptions { Pool = pair.DestinationRegion, PoolPages = 8 });
        KvHandshakeException refusal = await Assert.ThrowsAsync<KvHandshakeException>(() => other.ConnectAsync(pair.Peer).AsTask().WaitAsync(KvPair.Limit));
        Assert.Contains($"{SmallPages.LayoutHash:x16}", refusal.Message, StringComparison.Ordinal);
        Assert.Contains($"{LongPages.LayoutHash:x16}", refusal.Message, StringComparison.Ordinal);
    }

    /// <summary>A decoder's hello carries both sides' layouts: every one of the terms is compared by itself.</summary>
    [Fact]
    public async Task L10_each_term_of_the_handshake_is_compared()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        using RawDecoder raw = await RawDecoder.AttachAsync(pair);
        KvTerms own = KvTerms.Of<SmallPages.Transfer>();
        await Refused(own with { SourceLayoutHash = LongPages.LayoutHash }, "source layout", $"{SmallPages.LayoutHash:x16}", $"{LongPages.LayoutHash:x16}");
        await Refused(own with { DestinationLayoutHash = LongPages.LayoutHash }, "decoder's layout", $"{SmallPages.LayoutHash:x16}", $"{LongPages.LayoutHash:x16}");
        await Refused(own with { Layers = 5 }, "5 layers", "prefiller 4");

        async Task Refused(KvTerms terms, params string[] reasons)
        {
            await raw.SendAsync(new KvHello(raw.Session, terms).ToBytes());
            var refusal = KvRefusal.Parse(await raw.NextAsync(KvMessageKind.Refusal), raw.Body);
            Assert.All(reasons, reason => Assert.Contains(reason, refusal.Reason, StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task T4_another_protocol_version_is_refused_with_both_versions()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        using RawDecoder raw = await RawDecoder.AttachAsync(pair);
        await raw.SendAsync(new KvHello(raw.Session, KvTerms.Of<SmallPages.Transfer>() with { Version = 9 }).ToBytes());
        var refusal = KvRefusal.Parse(await raw.NextAsync(KvMessageKind.Refusal), raw.Body);
        Assert.Contains("version 9", refusal.Reason, StringComparison.Ordinal);
        Assert.Contains("version 1", refusal.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task H3_a_prefiller_that_never_answers_the_handshake_is_named()
    {
        await using KvPair pair = await KvPair.CreateAsync(withPrefiller: false);
        PeerFailedException failure = await Assert.ThrowsAsync<PeerFailedException>(() => pair.Decoder.RequestAsync(pair.Peer, pair.Request(100)).WaitAsync(KvPair.Limit));
        Assert.Contains("did not answer the KV handshake", failure.Message, StringComparison.Ordinal);
        Assert.Equal(KvPair.PoolPages, pair.DestinationPages.FreePages);
    }

    [Fact]
    public async Task H3_a_prefiller_that_falls_silent_is_named_and_its_pages_are_leaked()
    {
        await using KvPair pair = await KvPair.CreateAsync(stopDeadline: TimeSpan.FromMilliseconds(300));
        Task<KvDelivery> running = pair.Decoder.RequestAsync(pair.Peer, pair.Request(100) with { Deadline = TimeSpan.FromMilliseconds(300) });
        await using KvPrefillJob<SmallPages.Transfer> job = await pair.NextJobAsync();
        pair.Network.HoldDeliveries("prefill");
        PeerFailedException failure = await Assert.ThrowsAsync<PeerFailedException>(() => running.WaitAsync(KvPair.Limit));
        Assert.Equal(pair.PrefillEngine.Address, failure.Address);
        Assert.Equal(7, pair.Decoder.LeakedPages);
        pair.Network.ReleaseDeliveries("prefill");
    }

    [Fact]
    public async Task L8_a_prefiller_that_dies_ends_the_request_by_name_and_leaks_its_pages()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        Task<KvDelivery> running = pair.Decoder.RequestAsync(pair.Peer, pair.Request(100));
        await using KvPrefillJob<SmallPages.Transfer> job = await pair.NextJobAsync();
        job.LayerDone(1);
        pair.Network.KillDevice("prefill");
        // The decoder finds out with the next thing it sends.
        await pair.DecodeEngine.ConnectAsync(pair.PrefillEngine.Address, TimeSpan.FromMilliseconds(100)).AsTask().ContinueWith(static _ => { }, TaskScheduler.Default);
        PeerFailedException failure = await Assert.ThrowsAsync<PeerFailedException>(() => running.WaitAsync(KvPair.Limit));
        Assert.Equal(pair.PrefillEngine.Address, failure.Address);
        Assert.Equal(7, pair.Decoder.LeakedPages);
        Assert.Equal(KvPair.PoolPages - 7, pair.DestinationPages.FreePages);
    }

    [Fact]
    public async Task A_decoder_that_dies_ends_the_job_by_name_and_frees_the_source_pages()
    {
        await using KvPair pair = await KvPair.CreateAsync(stopDeadline: TimeSpan.FromMilliseconds(300));
        Task<KvDelivery> running = pair.Decoder.RequestAsync(pair.Peer, pair.Request(100) with { Deadline = TimeSpan.FromSeconds(1) });
        await using KvPrefillJob<SmallPages.Transfer> job = await pair.NextJobAsync();
        pair.Network.KillDevice("decode");
        job.LayerDone(3);
        PeerFailedException failure = await Assert.ThrowsAsync<PeerFailedException>(() => job.FinishAsync(new byte[KvPair.TailBytes]).WaitAsync(KvPair.Limit));
        Assert.Equal(pair.DecodeEngine.Address, failure.Address);
        Assert.Equal(KvPair.PoolPages, pair.SourcePages.FreePages);
        await Assert.ThrowsAsync<PeerFailedException>(() => running.WaitAsync(KvPair.Limit));
    }

    [Fact]
    public async Task A_job_that_is_given_up_tells_the_decoder_why_and_frees_its_pages()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        Task<KvDelivery> running = pair.Decoder.RequestAsync(pair.Peer, pair.Request(100));
        KvPrefillJob<SmallPages.Transfer> job = await pair.NextJobAsync();
        job.LayerDone(0);
        await job.DisposeAsync();
        TransferAbortedException abort = await Assert.ThrowsAsync<TransferAbortedException>(() => running.WaitAsync(KvPair.Limit));
        Assert.Contains("gave the job up", abort.Message, StringComparison.Ordinal);
        Assert.Equal(KvPair.PoolPages, pair.DestinationPages.FreePages);
        Assert.Equal(KvPair.PoolPages, pair.SourcePages.FreePages);
    }

    /// <summary>Elsewhere a write that could not be posted was never told to the receiver, which waited for ever.</summary>
    [Fact]
    public async Task H5_a_write_that_fails_ends_the_request_long_before_its_deadline()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        Task<KvDelivery> running = pair.Decoder.RequestAsync(pair.Peer, pair.Request(100) with { Deadline = TimeSpan.FromMinutes(10) });
        await using KvPrefillJob<SmallPages.Transfer> job = await pair.NextJobAsync();
        // The keys the request named are revoked: every write to them is refused.
        await pair.DestinationRegion.RenewAsync(KvPair.Limit);
        job.LayerDone(3);
        await Assert.ThrowsAsync<TransferAbortedException>(() => running.WaitAsync(KvPair.Limit));
        await Assert.ThrowsAnyAsync<Exception>(() => job.FinishAsync(new byte[KvPair.TailBytes]).WaitAsync(KvPair.Limit));
        Assert.Equal(KvPair.PoolPages, pair.DestinationPages.FreePages);
        Assert.Equal(KvPair.PoolPages, pair.SourcePages.FreePages);
    }

    [Fact]
    public async Task L9_a_request_for_a_prefiller_that_restarted_is_ignored()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        using RawDecoder raw = await RawDecoder.ConnectAsync(pair);
        await raw.SendPartAsync(1, KvMessageTests.Request(0, 0).ToBytes(), sessionFlip: 1);
        await raw.SendAsync(new KvCancel(raw.Session, 2, 0, Immediate.ForCounter(1, 1)).ToBytes());
        await raw.NextAsync(KvMessageKind.Stopped);
        Assert.Equal(1, pair.Prefiller.IgnoredMessages);
    }

    [Fact]
    public async Task Garbage_is_counted_and_harms_nobody()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        var random = new Random(4);
        for (int i = 0; i < 200; i++)
        {
            byte[] garbage = new byte[random.Next(0, 300)];
            random.NextBytes(garbage);
            await pair.DecodeEngine.SendAsync(pair.Peer, KvChannels.ToPrefiller(KvChannels.Default), garbage);
        }

        Task<KvDelivery> running = pair.Decoder.RequestAsync(pair.Peer, pair.Request(100));
        await pair.ServeAsync();
        pair.AssertDelivered(await running.WaitAsync(KvPair.Limit), 0);
        Assert.True(SpinWait.SpinUntil(() => pair.Prefiller.IgnoredMessages == 200, KvPair.Limit));
    }

    [Fact]
    public async Task A_request_with_a_descriptor_of_another_engine_is_refused_with_the_reason()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        using RawDecoder raw = await RawDecoder.ConnectAsync(pair);
        await raw.SendPartAsync(1, KvMessageTests.Request(1, 0).ToBytes());
        var stopped = KvStopped.Parse(await raw.NextAsync(KvMessageKind.Stopped), raw.Body);
        Assert.True(stopped.Drained);
        Assert.Contains("another", stopped.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task T1_disposing_both_sides_with_requests_under_way_ends_everything()
    {
        for (int round = 0; round < 20; round++)
        {
            KvPair pair = await KvPair.CreateAsync();
            Task<KvDelivery> running = pair.Decoder.RequestAsync(pair.Peer, pair.Request(100));
            KvPrefillJob<SmallPages.Transfer> job = await pair.NextJobAsync();
            job.LayerDone(round % 4);
            await pair.Decoder.DisposeAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running.WaitAsync(KvPair.Limit));
            Assert.Equal(KvPair.PoolPages, pair.DestinationPages.FreePages);
            await job.DisposeAsync();
            await pair.DisposeAsync();
            Assert.Equal(KvPair.PoolPages, pair.SourcePages.FreePages);
        }
    }
}
