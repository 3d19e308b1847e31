namespace Garden.KvCache;

/// <summary>A whole request as the decoder sends it: where every token goes and what to count.</summary>
internal sealed record KvRequestBody
{
    private const int MaxTraceParentLength = 64;

    public required MemoryRegionDescriptor Pool { get; init; }

    /// <summary>The region of the tail, null when there is none: then the last write carries nothing but its immediate.</summary>
    public MemoryRegionDescriptor? Tail { get; init; }

    public required Immediate Immediate { get; init; }

    public required int PoolPages { get; init; }

    public long PoolOffset { get; init; }

    public required int FirstToken { get; init; }

    public required int TokenCount { get; init; }

    public required int FirstLayer { get; init; }

    public required int LayerCount { get; init; }

    public int SourceRank { get; init; }

    public int DestinationRank { get; init; }

    public long TailOffset { get; init; }

    public int TailLength { get; init; }

    public required int[] Pages { get; init; }

    public required byte[] Payload { get; init; }

    /// <summary>The decoder's span in W3C form, empty when nobody listens.</summary>
    public string TraceParent { get; init; } = "";

    public byte[] ToBytes()
    {
        byte[] bytes = new byte[checked(128 + (2 * MemoryRegionDescriptor.MaxEncodedLength) + MaxTraceParentLength + (Pages.Length * sizeof(int)) + Payload.Length)];
        var writer = new KvMessageWriter(bytes);
        writer.Block(Pool.ToBytes());
        writer.Block(Tail is null ? [] : Tail.ToBytes());
        writer.UInt32(Immediate.Value);
        writer.Count(PoolPages);
        writer.Offset(PoolOffset);
        writer.Count(FirstToken);
        writer.Count(TokenCount);
        writer.Count(FirstLayer);
        writer.Count(LayerCount);
        writer.Count(SourceRank);
        writer.Count(DestinationRank);
        writer.Offset(TailOffset);
        writer.Count(TailLength);
        writer.Text(TraceParent.Length <= MaxTraceParentLength ? TraceParent : "");
        writer.Counts(Pages);
        writer.Block(Payload);
        return bytes[..writer.Position];
    }

    /// <exception cref="DescriptorException">The bytes are not a request; the message names the field.</exception>
    public static KvRequestBody Parse(ReadOnlySpan<byte> bytes)
    {
        var reader = new KvMessageReader(bytes);
        var pool = MemoryRegionDescriptor.Parse(reader.Block("the pool's descriptor"));
        ReadOnlySpan<byte> tail = reader.Block("the tail's descriptor");
        var body = new KvRequestBody
        {
            Pool = pool,
            Tail = tail.IsEmpty ? null : MemoryRegionDescriptor.Parse(tail),
            Immediate = Immediate.FromBits(reader.UInt32("the immediate")),
            PoolPages = reader.Count("the number of pool pages"),
            PoolOffset = reader.Offset("the pool's offset"),
            FirstToken = reader.Count("the first token"),
            TokenCount = reader.Count("the number of tokens"),
            FirstLayer = reader.Count("the first layer"),
            LayerCount = reader.Count("the number of layers"),
            SourceRank = reader.Count("the source rank"),
            DestinationRank = reader.Count("the destination rank"),
            TailOffset = reader.Offset("the tail's offset"),
            TailLength = reader.Count("the tail's length"),
            TraceParent = reader.Text("the trace parent"),
            Pages = reader.Counts("the destination pages"),
            Payload = reader.Block("the payload").ToArray(),
        };
        reader.End("A request");
        if (!body.Immediate.IsCounter || body.Immediate.Units != 0)
            throw new DescriptorException($"A request counts with a counter's immediate without units; got {body.Immediate.Value:x8}.");
        if (body.Tail is null && body.TailLength != 0)
            throw new DescriptorException($"A request with a tail of {body.TailLength} bytes names no region for it.");
        return body;
    }

    /// <summary>Refuses ranges that the layouts or the page list do not have, before a plan is made of them.</summary>
    /// <exception cref="DescriptorException">A range is wrong; the message names it and what there is.</exception>
    public void Validate<TTransfer>()
        where TTransfer : unmanaged, IKvTransfer<TTransfer>
    {
        Require((long)FirstLayer + LayerCount <= TTransfer.Layers && LayerCount > 0, $"Layers [{FirstLayer}, {FirstLayer} + {LayerCount}) are not within the model's {TTransfer.Layers}.");
        Require(SourceRank < TTransfer.SourceTensorParallel, $"Source rank {SourceRank} is not below the tensor-parallel degree {TTransfer.SourceTensorParallel}.");
        Require(DestinationRank < TTransfer.DestinationTensorParallel, $"Destination rank {DestinationRank} is not below the tensor-parallel degree {TTransfer.DestinationTensorParallel}.");
        long tokens = (long)FirstToken + TokenCount;
        long pages = (tokens + TTransfer.DestinationTokensPerPage - 1) / TTransfer.DestinationTokensPerPage;
        Require(TokenCount == 0 || pages <= Pages.Length, $"Tokens [{FirstToken}, {tokens}) need {pages} pages of {TTransfer.DestinationTokensPerPage}; the request lists {Pages.Length}.");
        foreach (int page in Pages)
            Require(page < PoolPages, $"Page {page} is not within the pool's {PoolPages}.");
        Require(Tail is null || TailOffset <= Tail.Length - TailLength, $"The tail [{TailOffset}, {TailOffset} + {TailLength}) lies outside its region of {Tail?.Length} bytes.");
    }

    private static void Require(bool condition, string message)
    {
        if (!condition)
            throw new DescriptorException(message);
    }
}
