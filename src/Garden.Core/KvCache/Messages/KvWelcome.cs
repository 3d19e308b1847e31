namespace Garden.KvCache;

/// <summary>Prefiller → decoder: accepted, and how much the prefiller takes.</summary>
internal readonly record struct KvWelcome(ulong Session, ulong PrefillerSession, int MaxRequestLength, int MaxTailLength)
{
    public byte[] ToBytes()
    {
        byte[] bytes = new byte[KvMessageHeader.Length + 16];
        KvMessageWriter writer = KvMessageHeader.Begin(bytes, KvMessageKind.Welcome, Session, 0);
        writer.UInt64(PrefillerSession);
        writer.Count(MaxRequestLength);
        writer.Count(MaxTailLength);
        return bytes;
    }

    public static KvWelcome Parse(in KvMessageHeader header, ReadOnlySpan<byte> body)
    {
        var reader = new KvMessageReader(body);
        var welcome = new KvWelcome(header.Session, reader.UInt64("the prefiller's session"), reader.Count("the longest request"), reader.Count("the longest tail"));
        reader.End("A welcome");
        return welcome;
    }
}
