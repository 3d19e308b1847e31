using System.Buffers.Binary;

namespace Garden.Interop.Libfabric;

/// <summary>What a message between two NICs begins with.</summary>
internal enum FrameKind : byte
{
    /// <summary>A message of the engine; answered with an acknowledgement once its buffer is free again.</summary>
    Message = 1,

    /// <summary>The answer: the receiver is done with a message.</summary>
    Acknowledgement = 2,

    /// <summary>The first thing a writer says, before its first write: the receiver knows then whom to tell of a revocation.</summary>
    Introduction = 3,

    /// <summary>The key in its content will be gone: no write with it is posted any more, and the answer comes behind those that were.</summary>
    Revocation = 4,
}

/// <summary>
/// The header of every message between two NICs, little-endian: kind (1), length of the sender's address (1), reserved (2), the
/// sender's token for the message (4), the sender's random id (8); then the sender's address, then the content.
/// </summary>
internal readonly record struct MessageFrame(FrameKind Kind, int AddressLength, uint Token, ulong Sender)
{
    public const int HeaderLength = 16;
    public const int MaxAddressLength = 255;

    public static bool TryParse(ReadOnlySpan<byte> message, out MessageFrame frame)
    {
        frame = default;
        if (message.Length < HeaderLength || message.Length < HeaderLength + message[1])
            return false;
        frame = new MessageFrame(
            (FrameKind)message[0], message[1], BinaryPrimitives.ReadUInt32LittleEndian(message[4..]), BinaryPrimitives.ReadUInt64LittleEndian(message[8..]));
        return true;
    }

    public void Write(Span<byte> destination)
    {
        destination[0] = (byte)Kind;
        destination[1] = (byte)AddressLength;
        destination[2] = destination[3] = 0;
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], Token);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[8..], Sender);
    }
}
