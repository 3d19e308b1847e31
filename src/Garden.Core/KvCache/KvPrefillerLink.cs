namespace Garden.KvCache;

/// <summary>What the prefiller knows of one decoder's session. Touched by the protocol's loop only.</summary>
internal sealed class KvPrefillerLink<TTransfer>(Peer peer, ulong session)
    where TTransfer : unmanaged, IKvTransfer<TTransfer>
{
    private const int MostAhead = 1 << 16;
    private const int MostRegions = 256;
    private readonly Dictionary<string, RemoteRegion> _regions = [];

    public Peer Peer { get; } = peer;

    public ulong Session { get; } = session;

    public KvSequenceWindow Window { get; } = new(MostAhead);

    /// <summary>Requests that have begun and not ended.</summary>
    public Dictionary<ulong, KvPrefillerEntry<TTransfer>> Entries { get; } = [];

    /// <summary>Bytes of requests whose parts have not all come yet.</summary>
    public long AssemblingBytes { get; set; }

    /// <summary>A region of the decoder, imported once.</summary>
    public RemoteRegion Import(MemoryRegionDescriptor descriptor)
    {
        string key = Convert.ToHexString(descriptor.ToBytes());
        if (!_regions.TryGetValue(key, out RemoteRegion? region))
        {
            if (_regions.Count == MostRegions)
                throw new DescriptorException($"The decoder has named {MostRegions} regions in this session already; it needs a session of its own for more.");
            region = Peer.Import(descriptor);
            _regions.Add(key, region);
        }

        return region;
    }

    public void Close()
    {
        foreach (RemoteRegion region in _regions.Values)
            region.Dispose();
        _regions.Clear();
    }
}

/// <summary>One request of a session, from its first part or its cancellation to its end.</summary>
internal sealed class KvPrefillerEntry<TTransfer>(ulong sequence)
    where TTransfer : unmanaged, IKvTransfer<TTransfer>
{
    public ulong Sequence { get; } = sequence;

    /// <summary>The parts, while they come in.</summary>
    public KvRequestAssembly? Assembly { get; set; }

    /// <summary>The job, once all parts are there.</summary>
    public KvPrefillJob<TTransfer>? Job { get; set; }

    /// <summary>The decoder's cancellation, once it came.</summary>
    public KvCancel? Cancel { get; set; }

    /// <summary>How the job ended, once it has.</summary>
    public KvDrain? Drain { get; set; }

    /// <summary>Parts seen, for a request that was cancelled while parts were on their way: it is forgotten when all have come.</summary>
    public int PartsSeen { get; set; }
}
