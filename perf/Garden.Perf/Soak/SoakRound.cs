using System.Buffers.Binary;
using System.IO.Hashing;

namespace Garden.Perf.Soak;

/// <summary>What a sender tells a receiver of one round: where bytes were written, what to count before they are compared, and their hash.</summary>
/// <param name="Stream">Which of the sender's streams: 0 to this peer alone, 1 to all peers at once.</param>
/// <param name="Number">The round's number in its stream.</param>
/// <param name="Units">Units counted once the round has landed, since the beginning.</param>
/// <param name="Barriers">Barriers of the sender counted, since the beginning.</param>
/// <param name="Ranges">The written ranges, in the stream's area, in the order they are hashed.</param>
/// <param name="Hash">XXH3 of the ranges and of the payload behind them.</param>
/// <param name="Payload">Bytes that travel in the message itself.</param>
internal sealed record SoakRound(byte Stream, long Number, long Units, long Barriers, IReadOnlyList<(int Offset, int Length)> Ranges, ulong Hash, byte[] Payload)
{
    private const int HeaderLength = 1 + 8 + 8 + 8 + 8 + 4 + 4;

    public static SoakRound Parse(ReadOnlySpan<byte> bytes)
    {
        int count = BinaryPrimitives.ReadInt32LittleEndian(bytes[33..]), length = BinaryPrimitives.ReadInt32LittleEndian(bytes[37..]);
        var ranges = new (int, int)[count];
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> range = bytes[(HeaderLength + (8 * i))..];
            ranges[i] = (BinaryPrimitives.ReadInt32LittleEndian(range), BinaryPrimitives.ReadInt32LittleEndian(range[4..]));
        }

        return new SoakRound(
            bytes[0],
            BinaryPrimitives.ReadInt64LittleEndian(bytes[1..]),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[9..]),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[17..]),
            ranges,
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[25..]),
            bytes.Slice(HeaderLength + (8 * count), length).ToArray());
    }

    public byte[] ToBytes()
    {
        byte[] bytes = new byte[HeaderLength + (8 * Ranges.Count) + Payload.Length];
        bytes[0] = Stream;
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(1), Number);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(9), Units);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(17), Barriers);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(25), Hash);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(33), Ranges.Count);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(37), Payload.Length);
        for (int i = 0; i < Ranges.Count; i++)
        {
            Span<byte> range = bytes.AsSpan(HeaderLength + (8 * i));
            BinaryPrimitives.WriteInt32LittleEndian(range, Ranges[i].Offset);
            BinaryPrimitives.WriteInt32LittleEndian(range[4..], Ranges[i].Length);
        }

        Payload.CopyTo(bytes, HeaderLength + (8 * Ranges.Count));
        return bytes;
    }

    /// <summary>The hash of ranges as they lie in an area, and of a payload.</summary>
    public static ulong HashOf(NativeBuffer memory, long area, IReadOnlyList<(int Offset, int Length)> ranges, ReadOnlySpan<byte> payload)
    {
        var hash = new XxHash3();
        foreach ((int offset, int length) in ranges)
            hash.Append(memory.Span(area + offset, length));
        hash.Append(payload);
        return hash.GetCurrentHashAsUInt64();
    }
}
