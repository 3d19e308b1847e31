namespace Garden.KvCache;

/// <summary>Decoder → prefiller, once a connection.</summary>
internal readonly record struct KvHello(ulong Session, KvTerms Terms)
{
    public byte[] ToBytes()
    {
        byte[] bytes = new byte[KvMessageHeader.Length + 20];
        KvMessageWriter writer = KvMessageHeader.Begin(bytes, KvMessageKind.Hello, Session, 0, Terms.Version);
        writer.UInt64(Terms.SourceLayoutHash);
        writer.UInt64(Terms.DestinationLayoutHash);
        writer.Count(Terms.Layers);
        return bytes;
    }

    /// <summary>Parses a hello of this version, or just the version of another one.</summary>
    public static KvHello Parse(in KvMessageHeader header, ReadOnlySpan<byte> body)
    {
        if (header.Version != KvMessageHeader.CurrentVersion)
            return new KvHello(header.Session, new KvTerms(header.Version, 0, 0, 0));
        var reader = new KvMessageReader(body);
        var terms = new KvTerms(header.Version, reader.UInt64("the source layout hash"), reader.UInt64("the destination layout hash"), reader.Count("the number of layers"));
        reader.End("A hello");
        return new KvHello(header.Session, terms);
    }
}
