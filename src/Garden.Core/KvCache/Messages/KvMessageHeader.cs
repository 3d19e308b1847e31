using System.Buffers.Binary;

namespace Garden.KvCache;

/// <summary>
/// The beginning of every message, little-endian: magic "GDKV" (4), protocol version (1), kind (1), reserved (2), the decoder's
/// session (8), the request's sequence number (8), 0 where there is none. It is the same in every protocol version, so that
/// a hello of another version can be refused with a reason.
/// </summary>
internal readonly record struct KvMessageHeader(byte Version, KvMessageKind Kind, ulong Session, ulong Sequence)
{
    public const byte CurrentVersion = 1;
    public const int Length = 24;
    private const uint Magic = 0x564b4447; // "GDKV"

    public static KvMessageHeader Parse(ReadOnlySpan<byte> message)
    {
        if (message.Length < Length)
            throw new DescriptorException($"A KV message has at least {Length} bytes; got {message.Length}.");
        uint magic = BinaryPrimitives.ReadUInt32LittleEndian(message);
        if (magic != Magic)
            throw new DescriptorException($"A KV message begins with \"GDKV\"; got 0x{magic:x8}.");
        var header = new KvMessageHeader(
            message[4],
            (KvMessageKind)message[5],
            BinaryPrimitives.ReadUInt64LittleEndian(message[8..]),
            BinaryPrimitives.ReadUInt64LittleEndian(message[16..]));
        if (header.Kind is < KvMessageKind.Hello or > KvMessageKind.Stopped)
            throw new DescriptorException($"KV message kind {message[5]} is unknown.");
        // A hello and its refusal must be readable across versions; nothing else is sent before they agree.
        if (header.Version != CurrentVersion && header.Kind is not (KvMessageKind.Hello or KvMessageKind.Refusal))
            throw new DescriptorException($"KV protocol version {header.Version} is not understood (this is version {CurrentVersion}).");
        return header;
    }

    public static KvMessageWriter Begin(Span<byte> destination, KvMessageKind kind, ulong session, ulong sequence, byte version = CurrentVersion)
    {
        var writer = new KvMessageWriter(destination);
        writer.UInt32(Magic);
        writer.Byte(version);
        writer.Byte((byte)kind);
        writer.UInt16(0);
        writer.UInt64(session);
        writer.UInt64(sequence);
        return writer;
    }
}
