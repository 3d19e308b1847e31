using System.Diagnostics;
using Garden;
using Garden.KvCache;
using Garden.Samples;

namespace KvStreaming;

/// <summary>
/// The decode engine: asks for the blocks of each prompt that it does not hold, and checks every byte that arrives. What has
/// arrived stays resident for later prompts until its pages are needed.
/// </summary>
internal sealed class DecodeSide<TLayout, TTransfer> : IAsyncDisposable
    where TLayout : unmanaged, IKvPageLayout<TLayout>
    where TTransfer : unmanaged, IKvTransfer<TTransfer>
{
    private readonly SampleOptions _options;
    private readonly Measurements _measurements;
    private readonly WorkThread _verifier = new("verify");
    private readonly PrefixCache _cache = new();
    private readonly SemaphoreSlim _ended = new(0);
    private readonly KvPool<TLayout> _pool;
    private readonly KvPagePool _pages;
    private readonly MemoryRegion _region;
    private readonly TailBuffer _tails;
    private readonly KvDecoder<TTransfer> _decoder;
    private bool _corrupted;

    public DecodeSide(SampleOptions options, TransferEngine engine, IReadOnlyList<PromptRequest> requests, int tailBytes, ushort channel, Measurements measurements)
    {
        _options = options;
        _measurements = measurements;
        // Room for the largest prompt and for resident prefixes.
        _pool = new KvPool<TLayout>(PageOrder.WithGuards(StreamingJob.LargestPrompt<TLayout>(options, requests) * 5 / 2), options.EffectiveLayers);
        _pool.PoisonGuards();
        _pages = new KvPagePool(PageOrder.Create(_pool.Pages, options.Placement, options.Seed + 1));
        _region = engine.Register(_pool.Buffer);
        _tails = new TailBuffer(engine, tailBytes, options.InFlight);
        _decoder = new KvDecoder<TTransfer>(engine, new KvDecoderOptions
        {
            Pool = _region,
            PoolPages = _pool.Pages,
            PoolOffset = KvPool<TLayout>.GuardBytes,
            Tails = _tails.Region,
            Channel = channel,
        });
    }

    public long LeakedPages => _decoder.LeakedPages;

    /// <summary>Serves all requests, a few at a time; <paramref name="served"/> is called after each.</summary>
    public async Task RunAsync(Peer prefiller, IReadOnlyList<PromptRequest> requests, Action served, CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        var running = new List<Task>();
        try
        {
            for (int i = 0; i < requests.Count; i++)
            {
                if (_options.Realtime)
                    await WaitUntilAsync(start, requests[i].Timestamp - requests[0].Timestamp, cancellationToken);
                int slot = await _tails.RentAsync(cancellationToken);
                Admission admission = await AdmitAsync(i, requests[i], cancellationToken);
                running.Add(ServeAsync(prefiller, requests[i], admission, slot, served, cancellationToken));
                if (running.Find(static task => task.IsFaulted) is { } failed)
                    await failed;
            }
        }
        finally
        {
            // Nothing may run on when the memory goes away, whatever ended the loop.
            await Task.WhenAll(running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await Task.WhenAll(running);
        await _verifier.Run(() => Report(_pool.VerifyGuards()));
    }

    public async ValueTask DisposeAsync()
    {
        await _decoder.DisposeAsync();
        await _region.DisposeAsync();
        await _tails.DisposeAsync();
        _verifier.Dispose();
        _ended.Dispose();
        _pool.Dispose();
    }

    private static async Task WaitUntilAsync(long start, long milliseconds, CancellationToken cancellationToken)
    {
        TimeSpan left = TimeSpan.FromMilliseconds(milliseconds) - Stopwatch.GetElapsedTime(start);
        if (left > TimeSpan.Zero)
            await Task.Delay(left, cancellationToken);
    }

    /// <summary>Finds the resident prefix and pages for the rest, evicting what was not used for longest.</summary>
    private async Task<Admission> AdmitAsync(int index, PromptRequest request, CancellationToken cancellationToken)
    {
        List<ResidentBlock> hits = _cache.Match(request);
        int tokens = Math.Max(0, request.InputLength - (hits.Count * PromptRequest.TokensPerBlock));
        int pages = (tokens + TLayout.TokensPerPage - 1) / TLayout.TokensPerPage;
        KvPageLease? lease;
        while ((lease = _pages.TryLease(pages)) is null)
        {
            if (!_cache.TryEvict())
                await _ended.WaitAsync(cancellationToken);
        }

        await _verifier.Run(() => _pool.Poison(lease.Pages));
        return new Admission(index, hits, tokens, lease);
    }

    private async Task ServeAsync(Peer prefiller, PromptRequest request, Admission admission, int slot, Action served, CancellationToken cancellationToken)
    {
        try
        {
            int position = admission.Hits.Count * PromptRequest.TokensPerBlock / TLayout.TokensPerPage;
            KvDelivery delivery = await _decoder.RequestAsync(
                prefiller,
                new KvRequest
                {
                    Pages = admission.Pages,
                    TokenCount = admission.Tokens,
                    LayerCount = _options.EffectiveLayers,
                    TailOffset = _tails.OffsetOf(slot),
                    TailLength = _tails.Length,
                    Payload = new RequestTag(admission.Request, position).ToBytes(),
                },
                cancellationToken);
            _measurements.Delivered(_tails.StampOf(slot));
            await _verifier.Run(() => Verify(request, admission, delivery, position, slot));
            Keep(request, admission, position);
            served();
        }
        finally
        {
            _cache.Unpin(admission.Hits);
            _tails.Return(slot);
            _ended.Release();
        }
    }

    private void Verify(PromptRequest request, Admission admission, KvDelivery delivery, int position, int slot)
    {
        if (_options.Corrupt && !_corrupted && delivery.Pages.Count > 0)
        {
            _corrupted = true;
            _pool.Plane(_options.EffectiveLayers / 2, delivery.Pages.Pages[delivery.Pages.Count / 2], 0)[17] ^= 0x40;
        }

        long verified = 0;
        for (int layer = 0; layer < _options.EffectiveLayers; layer++)
        {
            string? error = _pool.Verify(_options.Seed, admission.Request, layer, position, delivery.Pages.Pages);
            Report(error);
            if (error is null)
                verified += delivery.Pages.Count * TLayout.BytesPerPage;
            // What was resident must still be what its request brought: a page recycled too early would show here.
            foreach (ResidentBlock block in admission.Hits)
                Report(_pool.Verify(_options.Seed, block.Request, layer, block.Position, block.Pages.Pages[..1]));
        }

        string? tail = _tails.Verify(slot, KvPattern.TailKey(_options.Seed, admission.Request), admission.Request);
        Report(tail);
        long writes = ((long)delivery.Pages.Count * _options.EffectiveLayers * (TLayout.Planes == KvPlanes.Separate ? 2 : 1)) + 1;
        _measurements.Served(admission.Tokens, delivery.Bytes - ClockStamp.Length, verified + (tail is null ? _tails.TailBytes : 0), admission.Hits.Count, request.Blocks.Length, writes);
    }

    /// <summary>Cuts the delivered pages into blocks and keeps them; the last ones first, so that they are evicted first.</summary>
    private void Keep(PromptRequest request, Admission admission, int position)
    {
        var blocks = new Stack<ResidentBlock>();
        for (int i = admission.Hits.Count; i < request.Blocks.Length; i++)
        {
            int pages = (request.TokensOf(i) + TLayout.TokensPerPage - 1) / TLayout.TokensPerPage;
            blocks.Push(new ResidentBlock(request.Blocks[i], request.TokensOf(i), admission.Request, position, admission.Pages.TakeFront(pages)));
            position += pages;
        }

        while (blocks.TryPop(out ResidentBlock? block))
            _cache.Add(block);
    }

    private void Report(string? error)
    {
        if (error is not null)
            _measurements.Error(error);
    }

    private sealed record Admission(int Request, List<ResidentBlock> Hits, int Tokens, KvPageLease Pages);
}
