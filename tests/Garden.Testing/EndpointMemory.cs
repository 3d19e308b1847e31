namespace Garden.Testing;

/// <summary>The registered memory of an endpoint, wherever it is: zeroed at first, written and read by the test from the host.</summary>
public abstract class EndpointMemory : IDisposable
{
    /// <summary>The first byte, as it is registered.</summary>
    public abstract nint Address { get; }

    /// <summary>Length in bytes.</summary>
    public abstract long Length { get; }

    /// <summary>Where it is.</summary>
    public abstract MemoryKind Kind { get; }

    /// <summary>The bytes of a range as they are now.</summary>
    public abstract ReadOnlySpan<byte> Read(long at, int length);

    /// <summary>Stores bytes.</summary>
    public abstract void Write(long at, ReadOnlySpan<byte> bytes);

    /// <summary>Sets all bytes of a range.</summary>
    public virtual void Fill(long at, int length, byte value)
    {
        byte[] bytes = new byte[length];
        bytes.AsSpan().Fill(value);
        Write(at, bytes);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the memory.</summary>
    protected abstract void Dispose(bool disposing);
}

/// <summary>Memory of the host.</summary>
public sealed unsafe class HostEndpointMemory(long bytes) : EndpointMemory
{
    /// <summary>The memory itself.</summary>
    public NativeBuffer Buffer { get; } = new(bytes);

    /// <inheritdoc/>
    public override nint Address => (nint)Buffer.Pointer;

    /// <inheritdoc/>
    public override long Length => Buffer.Length;

    /// <inheritdoc/>
    public override MemoryKind Kind => MemoryKind.Host;

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Read(long at, int length) => Buffer.Span(at, length);

    /// <inheritdoc/>
    public override void Write(long at, ReadOnlySpan<byte> bytes) => bytes.CopyTo(Buffer.Span(at, bytes.Length));

    /// <inheritdoc/>
    public override void Fill(long at, int length, byte value) => Buffer.Span(at, length).Fill(value);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => Buffer.Dispose();
}
