namespace Garden.KvCache;

/// <summary>
/// A part of an encoded request. All parts but the last have the same length, so a part's place follows from its number.
/// </summary>
internal readonly ref struct KvRequestPart
{
    public const int HeaderLength = KvMessageHeader.Length + 8 + 4 + 4 + 4;
    public const int MaxParts = 1 << 16;

    private KvRequestPart(ulong prefillerSession, int part, int partLength, int totalLength, ReadOnlySpan<byte> bytes)
    {
        PrefillerSession = prefillerSession;
        Part = part;
        PartLength = partLength;
        TotalLength = totalLength;
        Bytes = bytes;
    }

    /// <summary>The prefiller this is for: one that has restarted since refuses it.</summary>
    public ulong PrefillerSession { get; }

    public int Part { get; }

    public int PartLength { get; }

    public int TotalLength { get; }

    public int Parts => PartsOf(TotalLength, PartLength);

    public int Start => Part * PartLength;

    public ReadOnlySpan<byte> Bytes { get; }

    public static int PartsOf(int totalLength, int partLength) => (int)(((long)totalLength + partLength - 1) / partLength);

    /// <summary>Writes part <paramref name="part"/> of <paramref name="request"/>; returns the message's length.</summary>
    public static int Encode(Span<byte> destination, ulong session, ulong sequence, ulong prefillerSession, ReadOnlySpan<byte> request, int part, int partLength)
    {
        ReadOnlySpan<byte> bytes = request[(part * partLength)..Math.Min(request.Length, (part + 1) * partLength)];
        KvMessageWriter writer = KvMessageHeader.Begin(destination, KvMessageKind.RequestPart, session, sequence);
        writer.UInt64(prefillerSession);
        writer.Count(part);
        writer.Count(partLength);
        writer.Count(request.Length);
        writer.Bytes(bytes);
        return writer.Position;
    }

    public static KvRequestPart Parse(ReadOnlySpan<byte> body, int maxRequestLength)
    {
        var reader = new KvMessageReader(body);
        ulong prefillerSession = reader.UInt64("the prefiller's session");
        int part = reader.Count("the part's number");
        int partLength = reader.Count("the part length");
        int total = reader.Count("the request's length");
        ReadOnlySpan<byte> bytes = reader.Rest;
        if (total == 0 || total > maxRequestLength)
            throw new DescriptorException($"A request has 1 to {maxRequestLength} bytes; this one says {total}.");
        if (partLength == 0 || PartsOf(total, partLength) > MaxParts)
            throw new DescriptorException($"A request has at most {MaxParts} parts; {total} bytes in parts of {partLength} are more.");
        int parts = PartsOf(total, partLength);
        if (part >= parts)
            throw new DescriptorException($"Part {part} of a request with {parts} parts does not exist.");
        int expected = part == parts - 1 ? total - (part * partLength) : partLength;
        if (bytes.Length != expected)
            throw new DescriptorException($"Part {part} of a request has {expected} bytes; got {bytes.Length}.");
        return new KvRequestPart(prefillerSession, part, partLength, total, bytes);
    }
}
