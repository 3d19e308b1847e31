using System.Diagnostics;
using Garden;
using Garden.KvCache;
using Garden.Samples;

namespace KvStreaming;

/// <summary>
/// The prefill engine's model loop. Its compute is a stand-in: a thread that fills pages with data that says where it
/// belongs and takes a given time per layer. Each layer leaves as soon as it is done.
/// </summary>
internal sealed class PrefillSide<TLayout, TTransfer> : IAsyncDisposable
    where TLayout : unmanaged, IKvPageLayout<TLayout>
    where TTransfer : unmanaged, IKvTransfer<TTransfer>
{
    private static readonly TimeSpan s_pageDeadline = TimeSpan.FromSeconds(60);

    private readonly SampleOptions _options;
    private readonly WorkThread _compute = new("compute");
    private readonly KvPool<TLayout> _pool;
    private readonly KvPagePool _pages;
    private readonly MemoryRegion _region;
    private readonly KvPrefiller<TTransfer> _prefiller;
    private readonly int _tailBytes;
    private readonly int _chunkPages;

    public PrefillSide(SampleOptions options, TransferEngine engine, IReadOnlyList<PromptRequest> requests, int tailBytes, ushort channel)
    {
        _options = options;
        _tailBytes = tailBytes;
        _chunkPages = options.ChunkTokens == 0 ? int.MaxValue : Math.Max(1, options.ChunkTokens / TLayout.TokensPerPage);
        // Room for the largest prompt and the next one's beginning.
        _pool = new KvPool<TLayout>(PageOrder.WithGuards(StreamingJob.LargestPrompt<TLayout>(options, requests) * 5 / 4), options.EffectiveLayers);
        _pages = new KvPagePool(PageOrder.Create(_pool.Pages, options.Placement, options.Seed));
        _region = engine.Register(_pool.Buffer);
        _prefiller = new KvPrefiller<TTransfer>(engine, new KvPrefillerOptions
        {
            Pool = _region,
            PoolPages = _pool.Pages,
            PoolOffset = KvPool<TLayout>.GuardBytes,
            MaxTailLength = tailBytes + ClockStamp.Length,
            Channel = channel,
        });
    }

    public async Task RunAsync()
    {
        var finishing = new List<Task>();
        await foreach (KvPrefillJob<TTransfer> job in _prefiller.ReadJobsAsync())
        {
            finishing.RemoveAll(static task => task.IsCompletedSuccessfully);
            KvPageLease lease = await _pages.LeaseAsync(job.PageCount, s_pageDeadline);
            job.UsePages(lease);
            var tag = RequestTag.Parse(job.Payload.Span);
            ClockStamp computed = default;
            await _compute.Run(() => computed = Compute(job, lease.Pages, tag));
            // The next prompt is computed while this one's last layer is on its way.
            finishing.Add(FinishAsync(job, tag.Request, computed));
        }

        await Task.WhenAll(finishing);
    }

    public async ValueTask DisposeAsync()
    {
        await _prefiller.DisposeAsync();
        await _region.DisposeAsync();
        _compute.Dispose();
        _pool.Dispose();
    }

    private async Task FinishAsync(KvPrefillJob<TTransfer> job, int request, ClockStamp computed)
    {
        await using (job)
        {
            if (job.Cancelled.IsCancellationRequested)
                return;
            try
            {
                byte[] tail = new byte[_tailBytes + ClockStamp.Length];
                computed.Write(tail.AsSpan(_tailBytes));
                KvPattern.Fill(tail.AsSpan(0, _tailBytes), KvPattern.TailKey(_options.Seed, request));
                await job.FinishAsync(tail);
            }
            catch (OperationCanceledException)
            {
                // The decoder cancelled the request: it knows.
            }
        }
    }

    /// <summary>Computes a prompt and returns when that was done.</summary>
    private ClockStamp Compute(KvPrefillJob<TTransfer> job, ReadOnlySpan<int> pages, RequestTag tag)
    {
        int tokensPerPage = TLayout.TokensPerPage;
        for (int first = 0; first < pages.Length; first += _chunkPages)
        {
            ReadOnlySpan<int> chunk = pages.Slice(first, Math.Min(_chunkPages, pages.Length - first));
            job.BeginChunk(first * tokensPerPage, Math.Min(chunk.Length * tokensPerPage, job.TokenCount - (first * tokensPerPage)));
            for (int layer = 0; layer < job.LayerCount; layer++)
            {
                if (job.Cancelled.IsCancellationRequested)
                    return default;
                long start = Stopwatch.GetTimestamp();
                _pool.Fill(_options.Seed, tag.Request, layer, tag.Position + first, chunk);
                TakeAtLeast(start, job.Cancelled);
                job.LayerDone(layer);
            }

            if (chunk.Length < _chunkPages)
                break;
        }

        return ClockStamp.Now;
    }

    /// <summary>Waits for the rest of a layer's time without using the core.</summary>
    private void TakeAtLeast(long start, CancellationToken cancelled)
    {
        TimeSpan left = _options.LayerTime - Stopwatch.GetElapsedTime(start);
        if (left >= TimeSpan.FromMilliseconds(1))
            cancelled.WaitHandle.WaitOne(left);
    }
}
