using System.Buffers.Binary;

namespace Garden.Perf.Soak;

/// <summary>What a node tells each peer first: who it is, where peers write to, and what it counts.</summary>
/// <param name="Node">The node's number.</param>
/// <param name="Counters">What senders put on their writes, by sending node and stream.</param>
/// <param name="Region">The node's memory.</param>
internal sealed record SoakTerms(int Node, IReadOnlyList<Immediate> Counters, MemoryRegionDescriptor Region)
{
    private const int HeaderLength = 8;

    public static SoakTerms Parse(ReadOnlySpan<byte> bytes)
    {
        var counters = new Immediate[BinaryPrimitives.ReadInt32LittleEndian(bytes[4..])];
        for (int i = 0; i < counters.Length; i++)
            counters[i] = Immediate.FromBits(BinaryPrimitives.ReadUInt32LittleEndian(bytes[(HeaderLength + (4 * i))..]));
        return new SoakTerms(BinaryPrimitives.ReadInt32LittleEndian(bytes), counters, MemoryRegionDescriptor.Parse(bytes[(HeaderLength + (4 * counters.Length))..]));
    }

    public byte[] ToBytes()
    {
        byte[] region = Region.ToBytes(), bytes = new byte[HeaderLength + (4 * Counters.Count) + region.Length];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, Node);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4), Counters.Count);
        for (int i = 0; i < Counters.Count; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(HeaderLength + (4 * i)), Counters[i].Value);
        region.CopyTo(bytes, HeaderLength + (4 * Counters.Count));
        return bytes;
    }
}
