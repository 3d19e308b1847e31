using System.Buffers.Binary;
using System.Text;

namespace Garden;

/// <summary>The kinds of messages engines send each other.</summary>
internal enum ControlKind : byte
{
    Hello = 1,
    Accept = 2,
    Refuse = 3,
    Heartbeat = 4,
    Goodbye = 5,
    Abort = 6,
    User = 7,
}

/// <summary>
/// The header of every message, little-endian: magic (2), protocol version (1), kind (1), receiver's peer index (4),
/// receiver's session (8), channel (2), reserved (2). Its first 16 bytes are the same in every protocol version.
/// </summary>
internal readonly record struct ControlHeader(byte Version, ControlKind Kind, uint Peer, ulong Session, ushort Channel)
{
    public const int Length = 20;
    public const byte ProtocolVersion = 1;
    public const uint NoPeer = uint.MaxValue;
    private const ushort Magic = 0x4447; // "GD"

    public static bool TryParse(ReadOnlySpan<byte> message, out ControlHeader header)
    {
        header = default;
        if (message.Length < Length || BinaryPrimitives.ReadUInt16LittleEndian(message) != Magic)
            return false;
        header = new ControlHeader(
            message[2],
            (ControlKind)message[3],
            BinaryPrimitives.ReadUInt32LittleEndian(message[4..]),
            BinaryPrimitives.ReadUInt64LittleEndian(message[8..]),
            BinaryPrimitives.ReadUInt16LittleEndian(message[16..]));
        return true;
    }

    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(destination, Magic);
        destination[2] = Version;
        destination[3] = (byte)Kind;
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], Peer);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[8..], Session);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[16..], Channel);
    }
}

/// <summary>Who says hello or accepts: the sender's peer index and session for this connection, its engine, its address and a secret.</summary>
internal sealed record HelloBody(uint PeerIndex, ulong Session, ulong EngineId, string Address, string Secret)
{
    public static HelloBody? TryParse(ReadOnlySpan<byte> body)
    {
        if (body.Length < 24)
            return null;
        int addressLength = BinaryPrimitives.ReadUInt16LittleEndian(body[20..]);
        int secretLength = BinaryPrimitives.ReadUInt16LittleEndian(body[22..]);
        return body.Length != 24 + addressLength + secretLength
            ? null
            : new HelloBody(
                BinaryPrimitives.ReadUInt32LittleEndian(body),
                BinaryPrimitives.ReadUInt64LittleEndian(body[4..]),
                BinaryPrimitives.ReadUInt64LittleEndian(body[12..]),
                Encoding.UTF8.GetString(body.Slice(24, addressLength)),
                Encoding.UTF8.GetString(body.Slice(24 + addressLength, secretLength)));
    }

    public byte[] ToBytes()
    {
        byte[] address = Encoding.UTF8.GetBytes(Address), secret = Encoding.UTF8.GetBytes(Secret);
        byte[] body = new byte[24 + address.Length + secret.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(body, PeerIndex);
        BinaryPrimitives.WriteUInt64LittleEndian(body.AsSpan(4), Session);
        BinaryPrimitives.WriteUInt64LittleEndian(body.AsSpan(12), EngineId);
        BinaryPrimitives.WriteUInt16LittleEndian(body.AsSpan(20), (ushort)address.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(body.AsSpan(22), (ushort)secret.Length);
        address.CopyTo(body, 24);
        secret.CopyTo(body, 24 + address.Length);
        return body;
    }
}
