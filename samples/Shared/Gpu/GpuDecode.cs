using Garden.Kernels;
using Garden.KvCache;

namespace Garden.Samples;

/// <summary>The decode side on a device: asks for prompts and lets a kernel check every word that arrived.</summary>
internal sealed class GpuDecode<TLayout, TTransfer> : IAsyncDisposable
    where TLayout : unmanaged, IKvPageLayout<TLayout>
    where TTransfer : unmanaged, IKvTransfer<TTransfer>
{
    private readonly GpuKvPool<TLayout> _pool;
    private readonly KvPagePool _pages;
    private readonly DeviceBuffer _tail;
    private readonly BufferRegistration _tailRegistration;
    private readonly DeviceBuffer _errors;
    private readonly DeviceKernel<LayerArgs> _check;
    private readonly DeviceStream _stream;
    private readonly KvDecoder<TTransfer> _decoder;
    private readonly int[] _guards;

    public GpuDecode(KernelDevice device, TransferEngine engine, int layers, int poolPages, int[] pageOrder, int tailBytes, ushort channel)
    {
        _pool = new GpuKvPool<TLayout>(device, engine, poolPages, layers);
        _pages = new KvPagePool(pageOrder);
        _guards = [.. Enumerable.Range(0, poolPages).Except(pageOrder)];
        _tail = device.Allocate(tailBytes);
        _tailRegistration = _tail.RegisterWith(engine);
        _errors = device.Allocate(sizeof(int));
        _check = device.Load<LayerArgs>(LayerKernels.Check);
        _stream = device.CreateStream();
        _decoder = new KvDecoder<TTransfer>(engine, new KvDecoderOptions { Pool = _pool.Region, PoolPages = poolPages, Tails = _tailRegistration.Region, Channel = channel });
    }

    public long LeakedPages => _decoder.LeakedPages;

    /// <summary>Whole pages, so that every byte of every page is sent and checked.</summary>
    public static int WholeTokens(int tokens) => Math.Max(1, (tokens + TLayout.TokensPerPage - 1) / TLayout.TokensPerPage) * TLayout.TokensPerPage;

    /// <summary>Asks for a prompt.</summary>
    /// <param name="prefiller">Who computes it.</param>
    /// <param name="request">Its number.</param>
    /// <param name="tokens">Its tokens, whole pages.</param>
    /// <param name="arrived">Worker: all of it is here.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    public async Task<KvDelivery> RequestAsync(Peer prefiller, int request, int tokens, Action? arrived = null, CancellationToken cancellationToken = default)
    {
        KvPageLease lease = await _pages.LeaseAsync(tokens / TLayout.TokensPerPage, TimeSpan.FromSeconds(60), cancellationToken);
        return await _decoder.RequestAsync(
            prefiller,
            new KvRequest { Pages = lease, TokenCount = tokens, LayerCount = _pool.Layers, TailLength = (int)_tail.Length, Payload = BitConverter.GetBytes(request), Arrived = arrived },
            cancellationToken);
    }

    /// <summary>Flips a bit of what arrived.</summary>
    public void Corrupt(KvDelivery delivery) => _pool.Corrupt(_pool.Layers / 2, delivery.Pages.Pages[delivery.Pages.Count / 2]);

    /// <summary>Words of a delivery that are wrong, the tail's included; null when none is. The pages are poisoned.</summary>
    public string? Check(KvDelivery delivery, int seed, int request)
    {
        _errors.Write(new byte[sizeof(int)]);
        _pool.SetPrompt(seed, request, delivery.Pages.Pages);
        for (int layer = 0; layer < _pool.Layers; layer++)
            _check.Launch(_stream, _pool.Shape, _pool.Arguments(layer) with { Errors = (ulong)_errors.Address });
        _stream.Synchronize();
        byte[] errors = new byte[sizeof(int)], tail = new byte[_tail.Length];
        _errors.Read(errors);
        _tail.Read(tail);
        int wrong = BitConverter.ToInt32(errors), at = KvPattern.FirstDifference(tail, KvPattern.TailKey(seed, request));
        return wrong != 0 ? $"request {request}: {wrong} words of its pages" : at >= 0 ? $"request {request}: byte {at} of its tail" : null;
    }

    /// <summary>The first page that nobody may write to and somebody did, null when there is none.</summary>
    public string? CheckGuards()
    {
        foreach (int page in _guards)
        {
            for (int layer = 0; layer < _pool.Layers; layer++)
            {
                for (int plane = 0; plane < TLayout.PlaneCount; plane++)
                {
                    if (_pool.Read(layer, page, plane).AsSpan().ContainsAnyExcept(KvPattern.Poison))
                        return $"guard page {page}, layer {layer}, plane {plane} was written to";
                }
            }
        }

        return null;
    }

    public async ValueTask DisposeAsync()
    {
        await _decoder.DisposeAsync();
        await _tailRegistration.DisposeAsync();
        _stream.Dispose();
        _check.Dispose();
        _errors.Dispose();
        _tail.Dispose();
        await _pool.DisposeAsync();
    }
}
