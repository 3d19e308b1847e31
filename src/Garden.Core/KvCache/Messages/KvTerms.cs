namespace Garden.KvCache;

/// <summary>What the two sides must agree on: protocol version, layouts, layers.</summary>
internal readonly record struct KvTerms(byte Version, ulong SourceLayoutHash, ulong DestinationLayoutHash, int Layers)
{
    public static KvTerms Of<TTransfer>()
        where TTransfer : unmanaged, IKvTransfer<TTransfer> =>
        new(KvMessageHeader.CurrentVersion, TTransfer.SourceLayoutHash, TTransfer.DestinationLayoutHash, TTransfer.Layers);

    /// <summary>Why <paramref name="decoder"/> cannot be served by a prefiller with these terms; null when it can.</summary>
    public string? Refuse(in KvTerms decoder)
    {
        if (decoder.Version != Version)
            return $"the decoder speaks KV protocol version {decoder.Version}, the prefiller version {Version}; use the same Garden version on both sides";
        if (decoder.SourceLayoutHash != SourceLayoutHash)
            return $"the decoder expects source layout {decoder.SourceLayoutHash:x16}, the prefiller's is {SourceLayoutHash:x16}; declare the same [KvPageLayout] for the prefill side on both sides";
        if (decoder.DestinationLayoutHash != DestinationLayoutHash)
            return $"the decoder's layout is {decoder.DestinationLayoutHash:x16}, the prefiller writes {DestinationLayoutHash:x16}; declare the same [KvPageLayout] for the decode side on both sides";
        return decoder.Layers != Layers ? $"the decoder has {decoder.Layers} layers, the prefiller {Layers}" : null;
    }
}
