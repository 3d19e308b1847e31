using System.Buffers;

namespace Garden;

/// <summary>A message on its way to a peer's control queue, in a pooled array.</summary>
/// <param name="Peer">The receiver.</param>
/// <param name="Buffer">Header and body; goes back to the shared pool once sent.</param>
/// <param name="Length">Bytes of the buffer that are the message.</param>
/// <param name="Source">Index of the transfer source to complete when it is sent, −1 for none.</param>
/// <param name="Deadline">Millisecond (Environment.TickCount64) after which it is not sent any more.</param>
internal readonly record struct OutgoingMessage(Peer Peer, byte[] Buffer, int Length, int Source, long Deadline)
{
    public bool IsLate => Environment.TickCount64 > Deadline;

    public ReadOnlySpan<byte> Bytes => Buffer.AsSpan(0, Length);

    public static OutgoingMessage Create(Peer peer, ControlKind kind, ushort channel, ReadOnlySpan<byte> body, int source, TimeSpan deadline)
    {
        int length = ControlHeader.Length + body.Length;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(length);
        new ControlHeader(ControlHeader.ProtocolVersion, kind, peer.RemoteIndex, peer.RemoteSession, channel).Write(buffer);
        body.CopyTo(buffer.AsSpan(ControlHeader.Length));
        return new OutgoingMessage(peer, buffer, length, source, Environment.TickCount64 + (long)deadline.TotalMilliseconds);
    }

    public void Return() => ArrayPool<byte>.Shared.Return(Buffer);
}
