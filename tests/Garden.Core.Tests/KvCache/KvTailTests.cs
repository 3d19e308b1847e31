using Garden.KvCache;

namespace Garden.Core.Tests.KvCache;

/// <summary>Tails that lie in registered memory and leave without the model loop's thread, and requests that tell of their arrival on the worker.</summary>
public class KvTailTests
{
    [Theory]
    [InlineData(1, null)]
    [InlineData(4, 7)]
    public async Task A_tail_in_registered_memory_leaves_with_the_last_layer_from_a_progress_handler(int nics, int? reorderSeed)
    {
        await using KvPair pair = await KvPair.CreateAsync(nics, reorderSeed);
        using var memory = new NativeBuffer(4096);
        await using MemoryRegion region = pair.PrefillEngine.Register(memory);
        int arrivals = 0;
        Task<KvDelivery> request = pair.Decoder.RequestAsync(pair.Peer, pair.Request(100, id: 5) with { Arrived = () => Interlocked.Increment(ref arrivals) });
        await using KvPrefillJob<SmallPages.Transfer> job = await pair.NextJobAsync();
        KvPair.Tail(5, job.TailLength).CopyTo(memory.Span(64, job.TailLength));
        job.UseTail(region, 64);
        // As a device's last signal does: layers and tail are reported on the engine's worker.
        using ProgressWatcher device = pair.PrefillEngine.AllocateProgressWatcher((_, reached) =>
        {
            job.LayerDone(job.LayerCount - 1);
            job.TailDone();
            return reached;
        });
        device.Signal(1);
        pair.AssertDelivered(await request.WaitAsync(KvPair.Limit), 5);
        await job.FinishAsync().WaitAsync(KvPair.Limit);
        Assert.Equal(1, Volatile.Read(ref arrivals));
        Assert.Throws<InvalidOperationException>(job.TailDone);
        await Assert.ThrowsAsync<InvalidOperationException>(() => job.FinishAsync(new byte[job.TailLength]));
    }

    [Fact]
    public async Task The_arrival_is_told_before_the_task_ends_and_only_when_all_has_come()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        Task<KvDelivery>? request = null;
        var told = new TaskCompletionSource<bool>();
        request = pair.Decoder.RequestAsync(pair.Peer, pair.Request(100) with { Arrived = () => told.SetResult(Volatile.Read(ref request)!.IsCompleted) });
        await using KvPrefillJob<SmallPages.Transfer> job = await pair.NextJobAsync();
        job.LayerDone(job.LayerCount - 1);
        // The layers may be here, the tail is not.
        Assert.False(told.Task.IsCompleted);
        await job.FinishAsync(KvPair.Tail(0, job.TailLength)).WaitAsync(KvPair.Limit);
        Assert.False(await told.Task.WaitAsync(KvPair.Limit));
        await request.WaitAsync(KvPair.Limit);
    }

    [Fact]
    public async Task A_callback_that_throws_costs_nothing_but_itself()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        Task<KvDelivery> request = pair.Decoder.RequestAsync(pair.Peer, pair.Request(30) with { Arrived = static () => throw new InvalidOperationException("mine") });
        await pair.ServeAsync();
        pair.AssertDelivered(await request.WaitAsync(KvPair.Limit), 0);
    }

    [Fact]
    public async Task A_request_without_a_tail_ends_with_TailDone_alone()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        Task<KvDelivery> request = pair.Decoder.RequestAsync(pair.Peer, pair.Request(40, tailBytes: 0));
        await using KvPrefillJob<SmallPages.Transfer> job = await pair.NextJobAsync();
        Assert.Throws<InvalidOperationException>(job.TailDone);
        job.LayerDone(job.LayerCount - 1);
        job.TailDone();
        await job.FinishAsync().WaitAsync(KvPair.Limit);
        pair.AssertDelivered(await request.WaitAsync(KvPair.Limit), 0, tailBytes: 0);
    }

    [Fact]
    public async Task A_tail_outside_its_region_or_unsaid_is_refused()
    {
        await using KvPair pair = await KvPair.CreateAsync();
        using var memory = new NativeBuffer(4096);
        await using MemoryRegion region = pair.PrefillEngine.Register(memory);
        Task<KvDelivery> request = pair.Decoder.RequestAsync(pair.Peer, pair.Request(40));
        await using KvPrefillJob<SmallPages.Transfer> job = await pair.NextJobAsync();
        Assert.Contains("[3097, 3097 + 1000) lies outside", Assert.Throws<PlanException>(() => job.UseTail(region, 3097)).Message, StringComparison.Ordinal);
        Assert.Throws<PlanException>(() => job.UseTail(region, -1));
        job.LayerDone(job.LayerCount - 1);
        Assert.Contains("UseTail", Assert.Throws<InvalidOperationException>(job.TailDone).Message, StringComparison.Ordinal);
        KvPair.Tail(0, job.TailLength).CopyTo(memory.Span(3096, job.TailLength));
        job.UseTail(region, 3096);
        job.TailDone();
        await job.FinishAsync().WaitAsync(KvPair.Limit);
        pair.AssertDelivered(await request.WaitAsync(KvPair.Limit), 0);
    }
}
