using System.Runtime.InteropServices;

namespace Garden;

/// <summary>
/// Page-aligned native memory, zeroed, for buffers that are registered with an engine: the garbage collector neither
/// moves nor scans it. Memory is committed by the operating system on first touch.
/// </summary>
public sealed unsafe class NativeBuffer : IDisposable
{
    private const int Alignment = 4096;
    private void* _pointer;

    /// <summary>Allocates <paramref name="length"/> bytes.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is not positive.</exception>
    /// <exception cref="OutOfMemoryException">The operating system gave no memory.</exception>
    public NativeBuffer(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        Length = length;
        // calloc leaves untouched pages unmapped, an aligned allocation that is cleared by hand would touch them all.
        Allocation = NativeMemory.AllocZeroed((nuint)length + Alignment);
        _pointer = (void*)(((nuint)Allocation + Alignment - 1) & ~(nuint)(Alignment - 1));
        GC.AddMemoryPressure(length);
    }

    /// <summary>Length in bytes.</summary>
    public long Length { get; }

    /// <summary>The first byte.</summary>
    /// <exception cref="ObjectDisposedException">The buffer was disposed.</exception>
    public byte* Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(_pointer is null, this);
            return (byte*)_pointer;
        }
    }

    private void* Allocation { get; set; }

    /// <summary>The bytes from <paramref name="offset"/> on.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range lies outside the buffer.</exception>
    public Span<byte> Span(long offset, int length)
    {
        if (offset < 0 || length < 0 || offset > Length - length)
            ThrowHelper.ThrowRange(nameof(NativeBuffer), offset, length, Length);
        return new Span<byte>(Pointer + offset, length);
    }

    /// <summary>Frees the memory. Unregister its regions first.</summary>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees memory whose owner forgot it.</summary>
    ~NativeBuffer() => Free();

    private void Free()
    {
        if (_pointer is null)
            return;
        _pointer = null;
        NativeMemory.Free(Allocation);
        GC.RemoveMemoryPressure(Length);
    }
}
