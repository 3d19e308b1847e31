namespace Garden.KvCache;

/// <summary>Puts the parts of one request together, in whatever order and however often they come.</summary>
internal sealed class KvRequestAssembly
{
    private readonly byte[] _bytes;
    private readonly bool[] _received;
    private readonly int _partLength;

    public KvRequestAssembly(in KvRequestPart first)
    {
        _bytes = new byte[first.TotalLength];
        _received = new bool[first.Parts];
        _partLength = first.PartLength;
    }

    public int Length => _bytes.Length;

    public int PartsReceived { get; private set; }

    public bool IsComplete => PartsReceived == _received.Length;

    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>Takes a part; false when it is a repetition.</summary>
    /// <exception cref="DescriptorException">The part does not fit the others.</exception>
    public bool TryAdd(in KvRequestPart part)
    {
        if (part.TotalLength != _bytes.Length || part.PartLength != _partLength)
            throw new DescriptorException($"A part says {part.TotalLength} bytes in parts of {part.PartLength}, an earlier one of the same request {_bytes.Length} in parts of {_partLength}.");
        if (_received[part.Part])
            return false;
        part.Bytes.CopyTo(_bytes.AsSpan(part.Start));
        _received[part.Part] = true;
        PartsReceived++;
        return true;
    }
}
