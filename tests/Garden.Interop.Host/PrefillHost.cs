using System.Collections.Concurrent;
using Garden.KvCache;

namespace Garden.Interop.Host;

/// <summary>A prefiller whose model takes a given time for each layer.</summary>
public sealed class PrefillHost : IAsyncDisposable
{
    private const int PoolPages = 4 * HostPages.PagesPerRequest;
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(30);

    private readonly NativeBuffer _memory = new(HostPages.PoolBytes(PoolPages));
    private readonly MemoryRegion _region;
    private readonly KvPrefiller<HostPages.Transfer> _prefiller;
    private readonly TimeSpan _layerTime;
    private readonly Task _loop;

    public PrefillHost(TransferEngine engine, TimeSpan layerTime)
    {
        _layerTime = layerTime;
        _region = engine.Register(_memory);
        _prefiller = new KvPrefiller<HostPages.Transfer>(engine, new KvPrefillerOptions { Pool = _region, PoolPages = PoolPages });
        _loop = RunAsync();
    }

    /// <summary>Awaited before each layer with the request's number and the layer: who is to be killed there stays there.</summary>
    public Func<long, int, Task>? BeforeLayer { get; set; }

    /// <summary>The source pages; all are free when nothing is under way.</summary>
    public KvPagePool Pages { get; } = new(PoolPages);

    /// <summary>How jobs ended that did not end well.</summary>
    public ConcurrentQueue<Exception> Failures { get; } = new();

    /// <summary>True when every source page is free again.</summary>
    public bool IsIdle => Pages.FreePages == PoolPages;

    public async ValueTask DisposeAsync()
    {
        await _prefiller.DisposeAsync();
        await _loop;
        await _region.DisposeAsync();
        _memory.Dispose();
    }

    private async Task RunAsync()
    {
        await foreach (KvPrefillJob<HostPages.Transfer> job in _prefiller.ReadJobsAsync())
        {
            try
            {
                await using (job)
                    await ServeAsync(job);
            }
            catch (Exception exception)
            {
                // One job's end is not the loop's.
                Failures.Enqueue(exception);
            }
        }
    }

    private async Task ServeAsync(KvPrefillJob<HostPages.Transfer> job)
    {
        long request = BitConverter.ToInt64(job.Payload.Span);
        KvPageLease lease = await Pages.LeaseAsync(job.PageCount, s_deadline);
        int[] pages = lease.Pages.ToArray();
        job.UsePages(lease);
        for (int layer = 0; layer < job.LayerCount; layer++)
        {
            if (BeforeLayer is { } before)
                await before(request, layer);
            for (int i = 0; i < pages.Length; i++)
                HostPages.Fill(HostPages.Page(_memory, PoolPages, layer, pages[i]), request, layer, i);
            await Task.Delay(_layerTime, job.Cancelled);
            job.LayerDone(layer);
        }

        await job.FinishAsync(default);
    }
}
