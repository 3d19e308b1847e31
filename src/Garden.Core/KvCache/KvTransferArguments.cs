namespace Garden.KvCache;

/// <summary>Everything a generated KV plan needs at run time: 80 bytes, blittable.</summary>
/// <remarks>
/// Token 0 is the first token of the first listed page on both sides. A plan between equal layouts moves whole pages: the
/// token range is rounded outward to pages. A plan between different layouts moves exactly the tokens given.
/// </remarks>
public struct KvTransferArguments
{
    /// <summary>The sender's pool.</summary>
    public RegionHandle Source;

    /// <summary>The receiver's pool.</summary>
    public RegionHandle Destination;

    /// <summary>What the receiver counts: an engine-allocated counter, or none.</summary>
    public Immediate Immediate;

    /// <summary>Pages in the sender's pool.</summary>
    public int SourcePoolPages;

    /// <summary>Pages in the receiver's pool.</summary>
    public int DestinationPoolPages;

    /// <summary>First token to move, counted from the first listed page.</summary>
    public int FirstToken;

    /// <summary>Number of tokens to move.</summary>
    public int TokenCount;

    /// <summary>First layer to move.</summary>
    public int FirstLayer;

    /// <summary>Number of layers to move.</summary>
    public int LayerCount;

    /// <summary>The sender's tensor-parallel rank.</summary>
    public int SourceRank;

    /// <summary>The receiver's tensor-parallel rank.</summary>
    public int DestinationRank;

    /// <summary>The sender's pages, in token order.</summary>
    public PageListHandle SourcePages;

    /// <summary>The receiver's pages, in token order.</summary>
    public PageListHandle DestinationPages;

    /// <summary>Byte offset of the pool inside the source region.</summary>
    public long SourceOffset;

    /// <summary>Byte offset of the pool inside the destination region.</summary>
    public long DestinationOffset;
}
