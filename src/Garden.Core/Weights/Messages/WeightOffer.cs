using Garden.KvCache;

namespace Garden.Weights;

/// <summary>Where a trainer may write a step: valid for that step only, because the counter and, after a step that failed, the keys are new ones.</summary>
/// <param name="Step">The step.</param>
/// <param name="Counter">What its writes carry.</param>
/// <param name="Units">What the other side will count.</param>
/// <param name="Memory">Where the tensors go.</param>
/// <param name="Hashes">Where the hashes go; null without verification.</param>
internal sealed record WeightOffer(long Step, Immediate Counter, long Units, MemoryRegionDescriptor Memory, MemoryRegionDescriptor? Hashes)
{
    public byte[] ToBytes()
    {
        byte[] bytes = new byte[WeightMessageHeader.Length + 12 + (2 * (4 + MemoryRegionDescriptor.MaxEncodedLength))];
        KvMessageWriter writer = WeightMessageHeader.Begin(bytes, WeightMessageKind.Offer, Step);
        writer.UInt32(Counter.Value);
        writer.Offset(Units);
        writer.Block(Memory.ToBytes());
        writer.Block(Hashes?.ToBytes());
        return bytes[..writer.Position];
    }

    public static WeightOffer Parse(in WeightMessageHeader header, ReadOnlySpan<byte> message)
    {
        var reader = new KvMessageReader(message[WeightMessageHeader.Length..]);
        var counter = Immediate.FromBits(reader.UInt32("the counter"));
        long units = reader.Offset("the units");
        var memory = MemoryRegionDescriptor.Parse(reader.Block("the tensors' region"));
        ReadOnlySpan<byte> hashes = reader.Block("the hashes' region");
        var offer = new WeightOffer(header.Step, counter, units, memory, hashes.IsEmpty ? null : MemoryRegionDescriptor.Parse(hashes));
        reader.End("An offer");
        return offer;
    }
}
