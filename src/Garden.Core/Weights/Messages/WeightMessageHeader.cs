using System.Buffers.Binary;
using Garden.KvCache;

namespace Garden.Weights;

/// <summary>
/// The beginning of every message, little-endian: magic "GDWT" (4), protocol version (1), kind (1), reserved (2), step (8), 0 where
/// there is none. It is the same in every protocol version, so that a hello of another version can be refused with a reason. Version 2
/// has <see cref="WeightMessageKind.Gathered"/>, without which a rank of version 1 would be waited for.
/// </summary>
internal readonly record struct WeightMessageHeader(byte Version, WeightMessageKind Kind, long Step)
{
    public const byte CurrentVersion = 2;
    public const int Length = 16;
    private const uint Magic = 0x54574447; // "GDWT"

    public static WeightMessageHeader Parse(ReadOnlySpan<byte> message)
    {
        if (message.Length < Length)
            throw new DescriptorException($"A weight message has at least {Length} bytes; got {message.Length}.");
        uint magic = BinaryPrimitives.ReadUInt32LittleEndian(message);
        if (magic != Magic)
            throw new DescriptorException($"A weight message begins with \"GDWT\"; got 0x{magic:x8}.");
        var header = new WeightMessageHeader(message[4], (WeightMessageKind)message[5], BinaryPrimitives.ReadInt64LittleEndian(message[8..]));
        if (header.Kind is < WeightMessageKind.Hello or > WeightMessageKind.Gathered)
            throw new DescriptorException($"Weight message kind {message[5]} is unknown.");
        if (header.Version != CurrentVersion && header.Kind is not (WeightMessageKind.Hello or WeightMessageKind.Refusal))
            throw new DescriptorException($"Weight protocol version {header.Version} is not understood (this is version {CurrentVersion}).");
        return header;
    }

    public static KvMessageWriter Begin(Span<byte> destination, WeightMessageKind kind, long step)
    {
        var writer = new KvMessageWriter(destination);
        writer.UInt32(Magic);
        writer.Byte(CurrentVersion);
        writer.Byte((byte)kind);
        writer.UInt16(0);
        writer.Offset(step);
        return writer;
    }
}
