namespace Garden.Kernels;

/// <summary>Host memory that kernels of one device reach as well.</summary>
public abstract unsafe class MappedBuffer : IDisposable
{
    private bool _disposed;

    private protected MappedBuffer(nint host, nint device, long length)
    {
        RawHost = host;
        RawDevice = device;
        Length = length;
    }

    /// <summary>Length in bytes.</summary>
    public long Length { get; }

    /// <summary>The first byte for code of the host.</summary>
    /// <exception cref="ObjectDisposedException">The buffer was disposed.</exception>
    public byte* Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return (byte*)RawHost;
        }
    }

    /// <summary>The first byte for kernels of the device.</summary>
    /// <exception cref="ObjectDisposedException">The buffer was disposed.</exception>
    public nint DeviceAddress
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return RawDevice;
        }
    }

    private protected nint RawHost { get; }

    private protected nint RawDevice { get; }

    /// <summary>Frees or unmaps the memory. No kernel may still use it.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Free();
        GC.SuppressFinalize(this);
    }

    private protected abstract void Free();
}
