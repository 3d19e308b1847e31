namespace Garden.KvCache;

/// <summary>Decoder → prefiller: stop a request of which <paramref name="PartsSent"/> parts were sent, and fence with <paramref name="Fence"/>.</summary>
internal readonly record struct KvCancel(ulong Session, ulong Sequence, int PartsSent, Immediate Fence)
{
    public byte[] ToBytes()
    {
        byte[] bytes = new byte[KvMessageHeader.Length + 8];
        KvMessageWriter writer = KvMessageHeader.Begin(bytes, KvMessageKind.Cancel, Session, Sequence);
        writer.Count(PartsSent);
        writer.UInt32(Fence.Value);
        return bytes;
    }

    public static KvCancel Parse(in KvMessageHeader header, ReadOnlySpan<byte> body)
    {
        var reader = new KvMessageReader(body);
        int parts = reader.Count("the number of parts sent");
        var fence = Immediate.FromBits(reader.UInt32("the fence"));
        reader.End("A cancellation");
        if (parts > KvRequestPart.MaxParts)
            throw new DescriptorException($"A request has at most {KvRequestPart.MaxParts} parts; the cancellation says {parts} were sent.");
        if (!fence.IsCounter || fence.Units != 0)
            throw new DescriptorException($"A fence is a counter's immediate without units; got {fence.Value:x8}.");
        return new KvCancel(header.Session, header.Sequence, parts, fence);
    }
}
