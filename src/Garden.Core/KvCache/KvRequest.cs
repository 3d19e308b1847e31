namespace Garden.KvCache;

/// <summary>What a decoder asks a prefiller for: some tokens of a prompt, in some layers, into leased pages.</summary>
public sealed record KvRequest
{
    /// <summary>
    /// Where the tokens go; token 0 is the first token of the first page. The decoder takes the lease over: it comes back in the
    /// <see cref="KvDelivery"/>, or it is returned or leaked when the request fails.
    /// </summary>
    public required KvPageLease Pages { get; init; }

    /// <summary>First token to receive, counted from the first page.</summary>
    public int FirstToken { get; init; }

    /// <summary>Tokens to receive; with 0 only the tail comes.</summary>
    public required int TokenCount { get; init; }

    /// <summary>First layer to receive.</summary>
    public int FirstLayer { get; init; }

    /// <summary>Layers to receive; null for all from <see cref="FirstLayer"/> on.</summary>
    public int? LayerCount { get; init; }

    /// <summary>The prefiller's tensor-parallel rank.</summary>
    public int SourceRank { get; init; }

    /// <summary>The decoder's tensor-parallel rank.</summary>
    public int DestinationRank { get; init; }

    /// <summary>What the prefiller's model loop needs to know (a request id, token ids, sampling parameters): opaque to Garden.</summary>
    public ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>Byte offset of the tail (hidden state, logits) in the decoder's tail region.</summary>
    public long TailOffset { get; init; }

    /// <summary>Length of the tail in bytes, 0 for none.</summary>
    public int TailLength { get; init; }

    /// <summary>
    /// Called when every byte of the request is visible, on the engine's worker and ahead of the task's completion, which needs a thread of
    /// the pool: to launch what decodes, or to raise a device's flag. It must not block. It is not called for a request that fails
    /// before that; one that is cancelled at the same moment may fail all the same.
    /// </summary>
    public Action? Arrived { get; init; }

    /// <summary>How long the request may take; null for <see cref="KvDecoderOptions.RequestDeadline"/>.</summary>
    public TimeSpan? Deadline { get; init; }
}
