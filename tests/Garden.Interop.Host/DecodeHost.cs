using Garden.KvCache;

namespace Garden.Interop.Host;

/// <summary>A decoder that verifies every byte, of its request and of the pages beside it.</summary>
public sealed class DecodeHost : IAsyncDisposable
{
    private readonly NativeBuffer _memory;
    private readonly MemoryRegion _region;
    private readonly KvDecoder<HostPages.Transfer> _decoder;
    private readonly int _pages;

    public DecodeHost(TransferEngine engine, int pages)
    {
        _pages = pages;
        Pages = new KvPagePool(pages);
        _memory = new NativeBuffer(HostPages.PoolBytes(pages));
        _region = engine.Register(_memory);
        _decoder = new KvDecoder<HostPages.Transfer>(engine, new KvDecoderOptions
        {
            Pool = _region,
            PoolPages = pages,
            // Where the machine is emulated a process takes seconds to its first answer.
            RequestDeadline = TimeSpan.FromSeconds(60),
            HandshakeDeadline = TimeSpan.FromSeconds(60),
            StopDeadline = TimeSpan.FromSeconds(3),
        });
    }

    public KvPagePool Pages { get; }

    public long LeakedPages => _decoder.LeakedPages;

    /// <summary>Asks for a prompt and returns its pages, every byte of which was compared.</summary>
    /// <exception cref="InvalidDataException">A byte is not what the prefiller has.</exception>
    public async Task<KvPageLease> RequestAsync(Peer prefiller, long request)
    {
        KvPageLease lease = Pages.TryLease(HostPages.PagesPerRequest) ?? throw new InvalidOperationException("The pool has no pages left.");
        foreach (int page in lease.Pages)
        {
            for (int layer = 0; layer < HostPages.Layers; layer++)
                HostPages.Page(_memory, _pages, layer, page).Fill(HostPages.Poison);
        }

        KvDelivery delivery = await _decoder.RequestAsync(prefiller, new KvRequest
        {
            Pages = lease,
            TokenCount = HostPages.PagesPerRequest * HostPages.TokensPerPage,
            Payload = BitConverter.GetBytes(request),
        });
        Verify(delivery.Pages, request);
        return delivery.Pages;
    }

    /// <summary>Compares pages with what a request has.</summary>
    /// <exception cref="InvalidDataException">A byte differs.</exception>
    public void Verify(KvPageLease lease, long request)
    {
        byte[] expected = new byte[HostPages.BytesPerPage];
        for (int layer = 0; layer < HostPages.Layers; layer++)
        {
            for (int i = 0; i < lease.Count; i++)
            {
                HostPages.Fill(expected, request, layer, i);
                Span<byte> page = HostPages.Page(_memory, _pages, layer, lease.Pages[i]);
                if (!page.SequenceEqual(expected))
                    throw new InvalidDataException($"Request {request}, layer {layer}, page {lease.Pages[i]} (position {i}) differs at byte {page.CommonPrefixLength(expected)}.");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _decoder.DisposeAsync();
        await _region.DisposeAsync();
        _memory.Dispose();
    }
}
