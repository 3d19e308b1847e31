using Garden.Fabric.Loopback;
using Garden.KvCache;

namespace Garden.Core.Tests.Docs;

// <owner>
/// <summary>A server's block manager as the owner of leased pages: blocks have reference counts, because prefixes share them.</summary>
public sealed class BlockManager(int blocks) : IKvPageOwner
{
    private readonly Lock _lock = new();
    private readonly Stack<int> _free = new(Enumerable.Range(0, blocks));
    private readonly int[] _references = new int[blocks];

    public int FreeBlocks
    {
        get
        {
            lock (_lock)
                return _free.Count;
        }
    }

    public int[] Allocate(int count)
    {
        lock (_lock)
        {
            int[] blocks = [.. Enumerable.Range(0, count).Select(_ => _free.Pop())];
            foreach (int block in blocks)
                _references[block] = 1;
            return blocks;
        }
    }

    /// <summary>Garden's own reference, for as long as a transfer may touch the blocks.</summary>
    public KvPageLease Lease(ReadOnlySpan<int> blocks)
    {
        lock (_lock)
        {
            foreach (int block in blocks)
                _references[block]++;
        }

        return new KvPageLease(this, blocks);
    }

    public void Release(ReadOnlySpan<int> blocks)
    {
        lock (_lock)
        {
            foreach (int block in blocks)
            {
                if (--_references[block] == 0)
                    _free.Push(block);
            }
        }
    }

    void IKvPageOwner.Return(ReadOnlySpan<int> pages) => Release(pages);

    // The lease's reference is never given back: a late write into a reused block would corrupt another request.
    void IKvPageOwner.Leak(ReadOnlySpan<int> pages)
    {
    }
}
// </owner>

public class ServerExampleTests
{
    private const int Blocks = 32;

    [Fact]
    public async Task A_server_streams_into_blocks_of_its_own_manager()
    {
        using var source = new NativeBuffer(LatentPages.PoolBytes(Blocks));
        using var destination = new NativeBuffer(LatentPages.PoolBytes(Blocks));
        new Random(1).NextBytes(source.Span(0, (int)source.Length));
        var network = new LoopbackNetwork();
        await using TransferEngine prefill = TransferEngine.CreateBuilder().UseLoopback(network, "prefill").Build();
        await using TransferEngine decode = TransferEngine.CreateBuilder().UseLoopback(network, "decode").Build();
        await using var prefiller = new KvPrefiller<LatentPages.Transfer>(prefill, new() { Pool = prefill.Register(source), PoolPages = Blocks });
        await using var decoder = new KvDecoder<LatentPages.Transfer>(decode, new() { Pool = decode.Register(destination), PoolPages = Blocks });
        using var stop = new CancellationTokenSource();
        var sourceBlocks = new BlockManager(Blocks);
        Task serving = ServeAsync(prefiller, sourceBlocks, stop.Token);
        Peer peer = await decode.ConnectAsync(prefill.Address);
        var manager = new BlockManager(Blocks);
        CancellationToken clientGone = CancellationToken.None;
        const int PromptTokens = 1000;
        const int CachedTokens = 128;

        // <decode>
        // The first two blocks are a prefix hit: only what follows is asked for.
        int[] table = manager.Allocate(16);
        int[] missing = table[(CachedTokens / LatentPages.TokensPerPage)..];
        KvDelivery delivery = await decoder.RequestAsync(
            peer,
            new KvRequest
            {
                Pages = manager.Lease(missing),
                TokenCount = PromptTokens - CachedTokens,
                Payload = BitConverter.GetBytes(CachedTokens), // what the model loop must know; opaque to Garden
                Deadline = TimeSpan.FromSeconds(30),
            },
            clientGone); // a client that hangs up cancels; the lease comes back when nothing can land any more
        delivery.Pages.Dispose(); // the transfer's reference; the request keeps its own until it ends
        // </decode>

        Assert.Equal(Blocks - 16, manager.FreeBlocks);
        manager.Release(table);
        Assert.Equal(Blocks, manager.FreeBlocks);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => serving);
        Assert.Equal(Blocks, sourceBlocks.FreeBlocks);
        for (int i = 0; i < missing.Length; i++)
        {
            long from = LatentPages.PlaneOffset(Blocks, 60, Blocks - 1 - i, 0), to = LatentPages.PlaneOffset(Blocks, 60, missing[i], 0);
            Assert.True(source.Span(from, (int)LatentPages.BytesPerPage).SequenceEqual(destination.Span(to, (int)LatentPages.BytesPerPage)), $"block {i} differs");
        }
    }

    [Fact]
    public void A_lease_tells_its_owner_once()
    {
        var manager = new BlockManager(4);
        int[] blocks = manager.Allocate(3);
        KvPageLease lease = manager.Lease(blocks);
        manager.Release(blocks);
        Assert.Equal(1, manager.FreeBlocks);
        using (KvPageLease front = lease.TakeFront(1))
            Assert.Equal(blocks[..1], front.Pages.ToArray());
        Assert.Equal(2, manager.FreeBlocks);
        lease.Leak();
        lease.Dispose();
        Assert.Equal(2, manager.FreeBlocks);
        Assert.Throws<PlanException>(() => new KvPageLease(manager, [1, -1]));
        Assert.Throws<ArgumentNullException>(() => new KvPageLease(null!, [1]));
    }

    [Fact]
    public void The_page_shows_the_code_that_is_tested()
    {
        Snippets.AssertShown("docs/kv-streaming.md", "owner");
        Snippets.AssertShown("docs/kv-streaming.md", "decode");
        Snippets.AssertShown("docs/kv-streaming.md", "prefill");
    }

    // <prefill>
    private static async Task ServeAsync(KvPrefiller<LatentPages.Transfer> prefiller, BlockManager manager, CancellationToken stop)
    {
        await foreach (KvPrefillJob<LatentPages.Transfer> job in prefiller.ReadJobsAsync(stop))
        {
            int[] blocks = manager.Allocate(job.PageCount);
            try
            {
                await using (job) // a job that is disposed unfinished tells the decoder
                    await PrefillAsync(job, manager.Lease(blocks), stop);
            }
            catch (Exception gone) when (gone is GardenException || (gone is OperationCanceledException && !stop.IsCancellationRequested))
            {
                // The decoder gave this request up, or died: the next one is not concerned.
            }
            finally
            {
                manager.Release(blocks);
            }
        }
    }

    private static async Task PrefillAsync(KvPrefillJob<LatentPages.Transfer> job, KvPageLease pages, CancellationToken stop)
    {
        job.UsePages(pages);
        int chunk = 4 * KvPrefillJob<LatentPages.Transfer>.ChunkMultiple; // chunks end at page borders of both sides
        int last = job.FirstToken + job.TokenCount;
        for (int first = job.FirstToken; first < last; first += chunk)
        {
            job.Cancelled.ThrowIfCancellationRequested();
            job.BeginChunk(first, Math.Min(chunk, last - first));
            for (int layer = 0; layer < job.LayerCount; layer++)
            {
                // The model computes layer FirstLayer + layer of this chunk into the blocks, then:
                job.LayerDone(job.FirstLayer + layer);
            }
        }

        await job.FinishAsync(tail: default, stop);
    }

    // </prefill>
}
