using Garden.Fabric;
using Garden.KvCache;

namespace Garden.Core.Tests.KvCache;

public class KvCancelTests
{
    /// <summary>Five teams found it independently: pages recycled while a cancelled transfer was still landing.</summary>
    [Theory]
    [InlineData(FabricCompletionLevel.RemotePlaced, 1)]
    [InlineData(FabricCompletionLevel.RemotePlaced, 4)]
    [InlineData(FabricCompletionLevel.LocalOnly, 1)]
    [InlineData(FabricCompletionLevel.LocalOnly, 4)]
    public async Task L8_no_page_comes_back_before_the_stop_is_confirmed(FabricCompletionLevel completion, int nics)
    {
        await using KvPair pair = await KvPair.CreateAsync(nics, completion: completion);
        using var cancel = new CancellationTokenSource();
        KvRequest request = pair.Request(800);
        int[] pages = request.Pages.Pages.ToArray();
        Task<KvDelivery> running = pair.Decoder.RequestAsync(pair.Peer, request, cancel.Token);
        await using KvPrefillJob<SmallPages.Transfer> job = await pair.NextJobAsync();
        pair.Network.HoldDeliveries("decode");
        job.LayerDone(1);
        // The worker has posted the layers once they are under way to the held NICs.
        Assert.True(SpinWait.SpinUntil(() => pair.PrefillEngine.Devices[0].GetStatistics().Sum(nic => nic.Writes) > 0, KvPair.Limit));
        await cancel.CancelAsync();
        var stopped = new TaskCompletionSource();
        await using CancellationTokenRegistration registration = job.Cancelled.Register(stopped.SetResult);
        await stopped.Task.WaitAsync(KvPair.Limit);

        // The prefiller has stopped, but its writes still hang over the pages.
        Assert.False(running.IsCompleted);
        Assert.Equal(KvLeaseState.Held, request.Pages.State);
        Assert.Equal(KvPair.PoolPages - pages.Length, pair.DestinationPages.FreePages);

        pair.Network.ReleaseDeliveries("decode");
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running.WaitAsync(KvPair.Limit));
        Assert.Equal(KvLeaseState.Returned, request.Pages.State);
        Assert.Equal(0, pair.Decoder.LeakedPages);

        // Nothing lands any more: what the pages hold from now on stays.
        foreach (int page in pages)
            pair.PoisonPage(page);
        await Assert.ThrowsAnyAsync<Exception>(() => job.FinishAsync(new byte[KvPair.TailBytes]));
        Task<KvDelivery> next = pair.Decoder.RequestAsync(pair.Peer, pair.Request(32, id: 1));
        await job.DisposeAsync();
        await pair.ServeAsync();
        KvDelivery delivery = await next.WaitAsync(KvPair.Limit);
        pair.AssertDelivered(delivery, 1);
        Assert.All(pages.Except(delivery.Pages.Pages.ToArray()), page => Assert.True(pair.IsUntouched(page)));
    }

    /// <summary>The control messages get through while the data of one lane hang: only the drain may free the pages.</summary>
    [Fact]
    public async Task L8_a_lane_that_hangs_holds_the_confirmation_back()
    {
        await using KvPair pair = await KvPair.CreateAsync(nics: 2);
        using var cancel = new CancellationTokenSource();
        KvRequest request = pair.Request(800);
        Task<KvDelivery> running = pair.Decoder.RequestAsync(pair.Peer, request, cancel.Token);
        await using KvPrefillJob<SmallPages.Transfer> job = await pair.NextJobAsync();
        // While the first lane's writes hang, the second one has more free credits and is used too.
        pair.Network.HoldDeliveries("decode/0");
        pair.Network.HoldDeliveries("decode/1");
        job.LayerDone(3);
        Assert.True(SpinWait.SpinUntil(() => pair.PrefillEngine.Devices[0].GetStatistics()[1].Writes > 0, KvPair.Limit));
        // Messages take the first lane.
        pair.Network.ReleaseDeliveries("decode/0");
        await cancel.CancelAsync();
        var stopped = new TaskCompletionSource();
        await using CancellationTokenRegistration registration = job.Cancelled.Register(stopped.SetResult);
        await stopped.Task.WaitAsync(KvPair.Limit);

        // A later request is cancelled and confirmed meanwhile, so a confirmation of the first would have come.
        for (int i = 0; i < 3; i++)
        {
            using var later = new CancellationTokenSource();
            Task<KvDelivery> probe = pair.Decoder.RequestAsync(pair.Peer, pair.Request(16), later.Token);
            await later.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => probe.WaitAsync(KvPair.Limit));
        }

        Assert.False(running.IsCompleted);
        Assert.Equal(KvLeaseState.Held, request.Pages.State);
        pair.Network.ReleaseDeliveries("decode/1");
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running.WaitAsync(KvPair.Limit));
        Assert.Equal(KvLeaseState.Returned, request.Pages.State);
        Assert.Equal(0, pair.Decoder.LeakedPages);
    }

    [Fact]
    public async Task A_request_cancelled_before_the_model_loop_saw_it_frees_its_pages_at_once()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        using var cancel = new CancellationTokenSource();
        await pair.Decoder.ConnectAsync(pair.Peer);
        Task<KvDelivery> running = pair.Decoder.RequestAsync(pair.Peer, pair.Request(100), cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running.WaitAsync(KvPair.Limit));
        Assert.Equal(KvPair.PoolPages, pair.DestinationPages.FreePages);
    }

    [Fact]
    public async Task The_model_loop_learns_of_a_cancellation_and_its_pages_go_back()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        using var cancel = new CancellationTokenSource();
        Task<KvDelivery> running = pair.Decoder.RequestAsync(pair.Peer, pair.Request(100), cancel.Token);
        await using KvPrefillJob<SmallPages.Transfer> job = await pair.NextJobAsync();
        job.LayerDone(0);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running.WaitAsync(KvPair.Limit));
        Assert.True(job.Cancelled.IsCancellationRequested);
        job.LayerDone(3);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => job.FinishAsync(new byte[KvPair.TailBytes]).WaitAsync(KvPair.Limit));
        Assert.Equal(KvPair.PoolPages, pair.SourcePages.FreePages);
    }

    [Fact]
    public async Task L8_a_part_that_arrives_after_its_cancellation_starts_nothing()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        using RawDecoder raw = await RawDecoder.ConnectAsync(pair);
        byte[] request = KvMessageTests.Request(0, 0).ToBytes();
        await raw.SendAsync(new KvCancel(raw.Session, 1, 1, Immediate.ForCounter(1, 1)).ToBytes());
        KvStopped stopped = KvStopped.Parse(await raw.NextAsync(KvMessageKind.Stopped), raw.Body);
        Assert.True(stopped is { Sequence: 1, Drained: true, AnswersCancel: true, Fences: 0 });
        await raw.SendPartAsync(1, request);
        // A second request is an ordered probe: when it is answered, the late part was handled.
        await raw.SendAsync(new KvCancel(raw.Session, 2, 0, Immediate.ForCounter(1, 1)).ToBytes());
        stopped = KvStopped.Parse(await raw.NextAsync(KvMessageKind.Stopped), raw.Body);
        // The late part was not even refused: nothing began for it.
        Assert.Equal(2ul, stopped.Sequence);
        Assert.Equal(0, pair.Prefiller.IgnoredMessages);
        await raw.SendPartAsync(1, request);
        await raw.SendAsync(new KvCancel(raw.Session, 3, 0, Immediate.ForCounter(1, 1)).ToBytes());
        await raw.NextAsync(KvMessageKind.Stopped);
        Assert.Equal(1, pair.Prefiller.IgnoredMessages);
    }

    [Fact]
    public async Task L8_a_stop_that_is_not_confirmed_in_time_leaks_the_pages_and_names_the_peer()
    {
        await using KvPair pair = await KvPair.CreateAsync(stopDeadline: TimeSpan.FromMilliseconds(300));
        using var cancel = new CancellationTokenSource();
        KvRequest request = pair.Request(100);
        Task<KvDelivery> running = pair.Decoder.RequestAsync(pair.Peer, request, cancel.Token);
        await using KvPrefillJob<SmallPages.Transfer> job = await pair.NextJobAsync();
        pair.Network.HoldDeliveries("decode");
        job.LayerDone(0);
        await cancel.CancelAsync();
        PeerFailedException failure = await Assert.ThrowsAsync<PeerFailedException>(() => running.WaitAsync(KvPair.Limit));
        Assert.Contains("did not confirm", failure.Message, StringComparison.Ordinal);
        Assert.Equal(pair.PrefillEngine.Address, failure.Address);
        Assert.Equal(KvLeaseState.Leaked, request.Pages.State);
        Assert.Equal(7, pair.Decoder.LeakedPages);
        Assert.Equal(7, pair.DestinationPages.LeakedPages);
        pair.Network.ReleaseDeliveries("decode");
    }

    /// <summary>An answer is not a confirmation: it must say that everything has drained, and every fence it names must have come.</summary>
    [Theory]
    [InlineData(false, 0, 0)]
    [InlineData(true, 2, 1)]
    [InlineData(true, 2, 2)]
    public async Task L8_only_a_drain_with_all_its_fences_frees_the_pages(bool drained, int fences, int posted)
    {
        bool freed = drained && fences == posted;
        await using KvPair pair = await KvPair.CreateAsync(stopDeadline: freed ? null : TimeSpan.FromMilliseconds(300));
        using RawPrefiller raw = await RawPrefiller.AttachAsync(pair);
        await pair.Decoder.ConnectAsync(pair.Peer);
        using var cancel = new CancellationTokenSource();
        KvRequest request = pair.Request(100);
        Task<KvDelivery> running = pair.Decoder.RequestAsync(pair.Peer, request, cancel.Token);
        await cancel.CancelAsync();
        (Peer decoder, KvCancel asked) = await raw.NextCancelAsync();
        for (int i = 0; i < posted; i++)
            await pair.PrefillEngine.SubmitImmediate(decoder, asked.Fence);
        await raw.SendAsync(decoder, new KvStopped(asked.Session, asked.Sequence, drained, AnswersCancel: true, fences, "cancelled").ToBytes());
        if (freed)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running.WaitAsync(KvPair.Limit));
        else
            await Assert.ThrowsAsync<PeerFailedException>(() => running.WaitAsync(KvPair.Limit));
        Assert.Equal(freed ? KvLeaseState.Returned : KvLeaseState.Leaked, request.Pages.State);
        Assert.Equal(freed ? 0 : 7, pair.DestinationPages.LeakedPages);
    }

    /// <summary>Writes that hang may still be read from: neither side's pages are used again, whichever deadline found out.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task L8_a_job_that_does_not_drain_leaks_the_source_pages_and_confirms_nothing(bool jobGivesUp)
    {
        var soon = TimeSpan.FromMilliseconds(200);
        await using KvPair pair = await KvPair.CreateAsync(jobDrainDeadline: jobGivesUp ? soon : KvPair.Limit, engineDrainDeadline: jobGivesUp ? KvPair.Limit : soon);
        KvRequest request = pair.Request(100);
        Task<KvDelivery> running = pair.Decoder.RequestAsync(pair.Peer, request);
        KvPrefillJob<SmallPages.Transfer> job = await pair.NextJobAsync();
        pair.Network.HoldDeliveries("decode");
        job.LayerDone(3);
        Assert.True(SpinWait.SpinUntil(() => pair.PrefillEngine.Devices[0].GetStatistics().Sum(nic => nic.Writes) > 0, KvPair.Limit));
        await job.DisposeAsync().AsTask().WaitAsync(KvPair.Limit + KvPair.Limit);
        pair.Network.ReleaseDeliveries("decode");
        Assert.Equal(7, pair.SourcePages.LeakedPages);
        await Assert.ThrowsAsync<PeerFailedException>(() => running.WaitAsync(KvPair.Limit));
        Assert.Equal(KvLeaseState.Leaked, request.Pages.State);
    }

    /// <summary>A prefiller that gives up says "drained" by itself only where its completions prove it; elsewhere the decoder must bring a fence.</summary>
    [Theory]
    [InlineData(FabricCompletionLevel.RemotePlaced, true, 0)]
    [InlineData(FabricCompletionLevel.LocalOnly, false, 1)]
    public async Task L8_a_job_given_up_is_confirmed_without_a_fence_only_where_completions_prove_it(FabricCompletionLevel completion, bool proven, int fences)
    {
        await using KvPair pair = await KvPair.CreateAsync(completion: completion);
        using RawDecoder raw = await RawDecoder.ConnectAsync(pair);
        MemoryRegionDescriptor pool = pair.DestinationRegion.Export();
        await raw.SendPartAsync(1, (KvMessageTests.Request(7, 4) with { Pool = pool, Tail = pool, PoolPages = KvPair.PoolPages }).ToBytes());
        KvPrefillJob<SmallPages.Transfer> job = await pair.NextJobAsync();
        job.LayerDone(3);
        Assert.True(SpinWait.SpinUntil(() => pair.PrefillEngine.Devices[0].GetStatistics().Sum(nic => nic.Writes) > 0, KvPair.Limit));
        await job.DisposeAsync();
        var stopped = KvStopped.Parse(await raw.NextAsync(KvMessageKind.Stopped), raw.Body);
        Assert.Equal((proven, false, 0), (stopped.Drained, stopped.AnswersCancel, stopped.Fences));
        using ImmCounter fence = pair.DecodeEngine.AllocateCounter();
        await raw.SendAsync(new KvCancel(raw.Session, 1, 1, fence.Immediate).ToBytes());
        stopped = KvStopped.Parse(await raw.NextAsync(KvMessageKind.Stopped), raw.Body);
        Assert.Equal((true, true, fences), (stopped.Drained, stopped.AnswersCancel, stopped.Fences));
        await fence.WaitAsync(fences, KvPair.Limit);
    }

    [Fact]
    public async Task A_deadline_is_a_cancellation_that_says_how_far_it_came()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        await pair.Decoder.ConnectAsync(pair.Peer);
        Task<KvDelivery> running = pair.Decoder.RequestAsync(pair.Peer, pair.Request(100) with { Deadline = TimeSpan.FromMilliseconds(100) });
        TimeoutException failure = await Assert.ThrowsAsync<TimeoutException>(() => running.WaitAsync(KvPair.Limit));
        Assert.Contains("0 of 29 units", failure.Message, StringComparison.Ordinal);
        Assert.Equal(KvPair.PoolPages, pair.DestinationPages.FreePages);
    }
}
