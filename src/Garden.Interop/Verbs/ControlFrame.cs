using System.Buffers.Binary;

namespace Garden.Interop.Verbs;

/// <summary>What a message on a control queue pair is.</summary>
internal enum ControlFrameKind : byte
{
    /// <summary>A message of the engine.</summary>
    Message = 1,

    /// <summary>Nothing but the credits every frame carries.</summary>
    Credits = 2,

    /// <summary>A key of the sender is about to end: its number follows. Nothing with it is posted any more, and the answer is an empty immediate 0 behind what was.</summary>
    Revocation = 3,
}

/// <summary>
/// What every message on a control queue pair begins with, 16 bytes, little-endian: kind, and how many immediates and messages the receiver may
/// have sent in all since the connection began (modulo 2³²), so that a lost or doubled count cannot add up.
/// </summary>
internal readonly record struct ControlFrame(ControlFrameKind Kind, uint ImmediateLimit, uint MessageLimit)
{
    public const int Length = 16;

    public static bool TryParse(ReadOnlySpan<byte> bytes, out ControlFrame frame)
    {
        frame = default;
        if (bytes.Length < Length)
            return false;
        frame = new ControlFrame((ControlFrameKind)bytes[0], BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]), BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]));
        return true;
    }

    public void Write(Span<byte> destination)
    {
        destination[..Length].Clear();
        destination[0] = (byte)Kind;
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], ImmediateLimit);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[8..], MessageLimit);
    }
}
