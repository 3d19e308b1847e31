using System.Buffers.Binary;
using System.Text;

namespace Garden.Interop.Verbs;

/// <summary>What a datagram between two NICs says.</summary>
internal enum OfferKind : byte
{
    /// <summary>"These are my queue pairs for a connection", repeated until the other side is seen to know them.</summary>
    Offer = 1,

    /// <summary>"Your connection is over here", with a reason.</summary>
    Reset = 2,
}

/// <summary>
/// A connection datagram, little-endian, 56 bytes and two texts: the sender's address and a reason. Both sides send the same: an offer has what
/// the other one needs to move its queue pairs on, its own epoch, and the other's epoch once it knows it. Nothing in it changes when it is
/// repeated, so a copy that comes twice or late does no harm.
/// </summary>
internal sealed record ConnectionOffer
{
    private const uint Magic = 0x43525647;
    private const byte Version = 1;
    private const int HeaderLength = 56;

    /// <summary>The longest datagram: it fits the smallest packet payload that both kinds of link have by default.</summary>
    public const int MaxLength = 512;

    public required OfferKind Kind { get; init; }

    /// <summary>The sender's address.</summary>
    public required string Address { get; init; }

    /// <summary>The sender's number of this connection; its later connections have higher ones.</summary>
    public uint Epoch { get; init; }

    /// <summary>The receiver's number of this connection, 0 while the sender does not know it.</summary>
    public uint PeerEpoch { get; init; }

    /// <summary>The sender's last fence against the receiver, 0 for none: the receiver's routes from before it are over.</summary>
    public uint Fence { get; init; }

    /// <summary>The receiver's last fence that the sender has heard of. An offer that does not know the last one is refused.</summary>
    public uint KnownFence { get; init; }

    /// <summary>True when the sender has seen that the receiver knows it: no answer is needed.</summary>
    public bool IsSettled { get; init; }

    /// <summary>The queue pair of writes and its first packet number.</summary>
    public uint DataQueuePair { get; init; }

    public uint DataPacket { get; init; }

    /// <summary>The queue pair of messages and its first packet number.</summary>
    public uint ControlQueuePair { get; init; }

    public uint ControlPacket { get; init; }

    /// <summary>The longest packet payload the sender takes.</summary>
    public int Mtu { get; init; }

    /// <summary>Immediates and messages the receiver may send at first.</summary>
    public int ImmediateWindow { get; init; }

    public int MessageWindow { get; init; }

    /// <summary>The longest message the sender takes.</summary>
    public int MaxMessageLength { get; init; }

    /// <summary>Why a connection is over; empty in offers.</summary>
    public string Reason { get; init; } = "";

    public int Write(Span<byte> destination)
    {
        destination[..HeaderLength].Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(destination, Magic);
        destination[4] = Version;
        destination[5] = (byte)Kind;
        destination[6] = IsSettled ? (byte)1 : (byte)0;
        destination[7] = (byte)Address.Length;
        ReadOnlySpan<uint> words = [Epoch, PeerEpoch, DataQueuePair, DataPacket, ControlQueuePair, ControlPacket, (uint)Mtu, (uint)ImmediateWindow, (uint)MessageWindow, (uint)MaxMessageLength, Fence, KnownFence];
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(destination[(8 + (4 * i))..], words[i]);
        int end = HeaderLength + Encoding.ASCII.GetBytes(Address, destination[HeaderLength..]);
        int room = Math.Min(MaxLength, destination.Length) - end;
        byte[] reason = Encoding.UTF8.GetBytes(Reason);
        reason.AsSpan(0, Math.Min(room, reason.Length)).CopyTo(destination[end..]);
        return end + Math.Min(room, reason.Length);
    }

    /// <summary>Null when the bytes are not a datagram of this version.</summary>
    public static ConnectionOffer? TryParse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length is < HeaderLength or > MaxLength
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != Magic
            || bytes[4] != Version
            || bytes.Length < HeaderLength + bytes[7])
        {
            return null;
        }

        Span<uint> words = stackalloc uint[12];
        for (int i = 0; i < words.Length; i++)
            words[i] = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(8 + (4 * i))..]);
        return new ConnectionOffer
        {
            Kind = (OfferKind)bytes[5],
            IsSettled = bytes[6] != 0,
            Address = Encoding.ASCII.GetString(bytes.Slice(HeaderLength, bytes[7])),
            Epoch = words[0],
            PeerEpoch = words[1],
            DataQueuePair = words[2],
            DataPacket = words[3],
            ControlQueuePair = words[4],
            ControlPacket = words[5],
            Mtu = (int)words[6],
            ImmediateWindow = (int)words[7],
            MessageWindow = (int)words[8],
            MaxMessageLength = (int)words[9],
            Fence = words[10],
            KnownFence = words[11],
            Reason = Printable(Encoding.UTF8.GetString(bytes[(HeaderLength + bytes[7])..])),
        };
    }

    /// <summary>What a peer says goes into messages and logs: no line ends and escapes of its choosing.</summary>
    private static string Printable(string text) => string.Create(text.Length, text, static (printable, text) =>
    {
        for (int i = 0; i < printable.Length; i++)
            printable[i] = char.IsControl(text[i]) ? ' ' : text[i];
    });

    /// <summary>True when an offer's numbers are ones that a NIC of this version may have.</summary>
    public bool IsPlausible => Epoch != 0
        && DataQueuePair <= 0xffffff && ControlQueuePair <= 0xffffff && DataPacket <= 0xffffff && ControlPacket <= 0xffffff
        && Mtu is 256 or 512 or 1024 or 2048 or 4096
        && ImmediateWindow is >= 1 and <= 4096 && MessageWindow is >= 1 and <= 256 && MaxMessageLength is >= 64 and <= 64 * 1024;
}
