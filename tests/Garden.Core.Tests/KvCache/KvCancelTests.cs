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
        await raw.NextAsync(KvMessageKind.Stopped);
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
