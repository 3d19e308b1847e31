using System.Runtime.CompilerServices;

namespace Garden.Kernels;

/// <summary>A range of a device's memory: allocated here, of another owner, or of another process.</summary>
public abstract class DeviceBuffer : IDisposable
{
    private readonly Lock _lock = new();
    private int _holds;
    private bool _disposed;

    private protected DeviceBuffer(KernelDevice device, nint address, long length, int elementBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(elementBytes);
        if (length % elementBytes != 0)
            throw new ArgumentException($"A buffer of {length} bytes does not hold whole elements of {elementBytes} bytes.", nameof(length));
        Device = device;
        RawAddress = address;
        Length = length;
        ElementBytes = elementBytes;
    }

    /// <summary>The device the memory is on.</summary>
    public KernelDevice Device { get; }

    /// <summary>Length in bytes.</summary>
    public long Length { get; }

    /// <summary>Bytes of the elements it was declared for; 1 fits every layout.</summary>
    public int ElementBytes { get; }

    /// <summary>The first byte, as kernels of the device see it.</summary>
    /// <exception cref="ObjectDisposedException">The buffer was disposed.</exception>
    public nint Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return RawAddress;
        }
    }

    private protected nint RawAddress { get; }

    /// <summary>
    /// Registers the memory with an engine's device. The buffer cannot be disposed while it is registered, so its memory cannot
    /// be freed under a running transfer; nor is it collected meanwhile, also when only the region is kept.
    /// </summary>
    /// <exception cref="FabricException">The fabric cannot reach this kind of memory; the message says which it can.</exception>
    public BufferRegistration RegisterWith(TransferEngine engine, int engineDevice = 0)
    {
        ArgumentNullException.ThrowIfNull(engine);
        Hold();
        try
        {
            return new BufferRegistration(this, engine.Register(Address, Length, Device.MemoryKind, engineDevice, this));
        }
        catch
        {
            Release();
            throw;
        }
    }

    /// <summary>Copies bytes from the host into the buffer and waits for the end.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range lies outside the buffer.</exception>
    public unsafe void Write(ReadOnlySpan<byte> bytes, long offset = 0)
    {
        Require(offset, bytes.Length);
        if (bytes.IsEmpty)
            return;
        // Safe: the range was checked, and the span is pinned until the copy has ended.
        fixed (byte* source = bytes)
        {
            Device.DefaultStream.Copy(Address + (nint)offset, (nint)source, bytes.Length);
            Device.DefaultStream.Synchronize();
        }
    }

    /// <summary>Copies bytes of the buffer to the host and waits for the end.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range lies outside the buffer.</exception>
    public unsafe void Read(Span<byte> bytes, long offset = 0)
    {
        Require(offset, bytes.Length);
        if (bytes.IsEmpty)
            return;
        // Safe: as in Write.
        fixed (byte* destination = bytes)
        {
            Device.DefaultStream.Copy((nint)destination, Address + (nint)offset, bytes.Length);
            Device.DefaultStream.Synchronize();
        }
    }

    /// <summary>Frees the memory, or lets go of it when it is another owner's.</summary>
    /// <exception cref="InvalidOperationException">It is still registered with an engine; the message says how often.</exception>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed)
                return;
            if (_holds != 0)
                throw new InvalidOperationException($"The buffer of {Length} bytes on {Device.Name} is registered with an engine {_holds} times; dispose its BufferRegistrations first, which waits for running transfers.");
            _disposed = true;
        }

        Free();
        GC.SuppressFinalize(this);
    }

    internal void Release()
    {
        lock (_lock)
            _holds--;
    }

    /// <summary>Requires a range inside the buffer.</summary>
    internal void Require(long offset, long length, [CallerArgumentExpression(nameof(offset))] string name = "")
    {
        if (offset < 0 || length < 0 || offset > Length - length)
            throw new ArgumentOutOfRangeException(name, $"The range [{offset}, {offset} + {length}) lies outside the buffer of {Length} bytes on {Device.Name}.");
    }

    private protected abstract void Free();

    private void Hold()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _holds++;
        }
    }
}
