namespace Garden.Kernels;

/// <summary>A device buffer that is registered with an engine. Disposing it waits for running transfers, then the buffer may be freed.</summary>
public sealed class BufferRegistration : IAsyncDisposable
{
    private DeviceBuffer? _buffer;

    internal BufferRegistration(DeviceBuffer buffer, MemoryRegion region)
    {
        _buffer = buffer;
        Region = region;
    }

    /// <summary>The engine's region over the whole buffer.</summary>
    public MemoryRegion Region { get; }

    /// <summary>Unregisters with the engine's drain deadline.</summary>
    /// <exception cref="TimeoutException">Transfers did not drain in time; the buffer stays registered and cannot be freed.</exception>
    public async ValueTask DisposeAsync()
    {
        await Region.DisposeAsync().ConfigureAwait(false);
        Interlocked.Exchange(ref _buffer, null)?.Release();
    }
}
