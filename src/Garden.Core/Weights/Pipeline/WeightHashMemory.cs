namespace Garden.Weights;

/// <summary>
/// Hashes in host memory, where they are computed and compared, and a region of the tensors' own kind of memory, between which they are
/// written: a fabric may reach no other.
/// </summary>
internal sealed class WeightHashMemory : IAsyncDisposable
{
    private readonly IWeightMemory _memory;
    private readonly IWeightQueue? _queue;
    private readonly ulong[]? _host;

    public WeightHashMemory(TransferEngine engine, IWeightDevice device, long hashes, int engineDevice)
    {
        _memory = device.Allocate(hashes * sizeof(ulong));
        try
        {
            Region = engine.Register(_memory.Address, _memory.Length, device.Kind, engineDevice);
            if (device.Kind != MemoryKind.Host)
                (_queue, _host) = (device.CreateQueue(), GC.AllocateArray<ulong>(checked((int)hashes), pinned: true));
        }
        catch
        {
            _memory.Dispose();
            throw;
        }
    }

    public MemoryRegion Region { get; }

    /// <summary>Hashes on the host.</summary>
    public unsafe Span<ulong> Slice(long first, int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first + count, _memory.Length / sizeof(ulong));
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        // Safe: the range was checked.
        return _host is not null ? _host.AsSpan((int)first, count) : new Span<ulong>((ulong*)_memory.Address + first, count);
    }

    /// <summary>Brings hashes of the host to where they are written from.</summary>
    public void Publish() => Move(fromHost: true);

    /// <summary>Brings hashes that have arrived to the host.</summary>
    public void Fetch() => Move(fromHost: false);

    public async ValueTask DisposeAsync()
    {
        await Region.DisposeAsync().ConfigureAwait(false);
        _queue?.Dispose();
        _memory.Dispose();
    }

    private unsafe void Move(bool fromHost)
    {
        if (_host is null)
            return;
        // Safe: the array is pinned and as long as the memory.
        nint host = (nint)System.Runtime.CompilerServices.Unsafe.AsPointer(ref _host[0]);
        _queue!.Copy(fromHost ? host : _memory.Address, fromHost ? _memory.Address : host, _memory.Length);
        _queue.Wait();
    }
}
