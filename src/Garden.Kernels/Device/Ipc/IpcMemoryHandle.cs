using System.Buffers.Binary;

namespace Garden.Kernels;

/// <summary>
/// A name for device memory that another process of the same host can open: who exported it, which of its allocations it is in, and
/// where. 120 bytes on the wire, little-endian.
/// </summary>
public sealed record IpcMemoryHandle
{
    /// <summary>Bytes of the wire form.</summary>
    public const int SizeInBytes = 120;

    private const uint Magic = 0x4349_4447;

    /// <summary>Id of the process that owns the memory.</summary>
    public required int ProcessId { get; init; }

    /// <summary>When that process started, in the kernel's ticks since boot: process ids are used again.</summary>
    public required ulong ProcessStart { get; init; }

    /// <summary>The driver's number of the allocation, unique in its process.</summary>
    public required ulong AllocationId { get; init; }

    /// <summary>Byte offset inside the allocation.</summary>
    public required long Offset { get; init; }

    /// <summary>Length in bytes.</summary>
    public required long Length { get; init; }

    /// <summary>Address in the owner's process.</summary>
    public required ulong Address { get; init; }

    /// <summary>The driver's handle of the allocation, 64 bytes.</summary>
    public required ReadOnlyMemory<byte> Handle { get; init; }

    /// <summary>Writes the wire form.</summary>
    public byte[] ToBytes()
    {
        var bytes = new byte[SizeInBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4), ProcessId);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8), ProcessStart);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(16), AllocationId);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(24), Offset);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(32), Length);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(40), Address);
        Handle.Span.CopyTo(bytes.AsSpan(48));
        return bytes;
    }

    /// <summary>Reads the wire form.</summary>
    /// <exception cref="DescriptorException">The bytes are not one; the message says why.</exception>
    public static IpcMemoryHandle Parse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != SizeInBytes || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != Magic)
            throw new DescriptorException($"A device memory handle has {SizeInBytes} bytes and begins with 0x{Magic:x8}; got {bytes.Length} bytes.");
        var handle = new IpcMemoryHandle
        {
            ProcessId = BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]),
            ProcessStart = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
            AllocationId = BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]),
            Offset = BinaryPrimitives.ReadInt64LittleEndian(bytes[24..]),
            Length = BinaryPrimitives.ReadInt64LittleEndian(bytes[32..]),
            Address = BinaryPrimitives.ReadUInt64LittleEndian(bytes[40..]),
            Handle = bytes.Slice(48, 64).ToArray(),
        };
        return handle.Offset >= 0 && handle.Length > 0 && handle.ProcessId > 0 && handle.Offset <= long.MaxValue - handle.Length
            ? handle
            : throw new DescriptorException($"The device memory handle of process {handle.ProcessId} names the impossible range [{handle.Offset}, {handle.Offset} + {handle.Length}).");
    }
}
