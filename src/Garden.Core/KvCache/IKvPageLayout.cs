namespace Garden.KvCache;

/// <summary>What the generator knows about a layout: constants and pure offset functions. All sizes are in bytes unless named otherwise, and are those of one tensor-parallel rank.</summary>
/// <typeparam name="TSelf">The annotated struct.</typeparam>
public interface IKvPageLayout<TSelf>
    where TSelf : unmanaged, IKvPageLayout<TSelf>
{
    /// <summary>Element type.</summary>
    static abstract KvElement Element { get; }

    /// <summary>Bytes per element.</summary>
    static abstract int ElementBytes { get; }

    /// <summary>Number of layers.</summary>
    static abstract int Layers { get; }

    /// <summary>KV heads of the whole model; 1 for a latent.</summary>
    static abstract int KvHeads { get; }

    /// <summary>KV heads held by one rank.</summary>
    static abstract int LocalKvHeads { get; }

    /// <summary>Elements per head; the latent size for a latent.</summary>
    static abstract int HeadSize { get; }

    /// <summary>Tokens per page.</summary>
    static abstract int TokensPerPage { get; }

    /// <summary>Planes per page: 2 for K and V, 1 for a latent.</summary>
    static abstract int PlaneCount { get; }

    /// <summary>How K and V lie beside each other.</summary>
    static abstract KvPlanes Planes { get; }

    /// <summary>Axis order inside a plane.</summary>
    static abstract KvAxisOrder Axes { get; }

    /// <summary>Outer axis of the pool.</summary>
    static abstract KvPoolOrder PoolOrder { get; }

    /// <summary>Tensor-parallel ranks.</summary>
    static abstract int TensorParallel { get; }

    /// <summary>Bytes of one token in one layer, all planes.</summary>
    static abstract long BytesPerToken { get; }

    /// <summary>Bytes of one plane of one page in one layer.</summary>
    static abstract long BytesPerPlane { get; }

    /// <summary>Bytes of one page in one layer, all planes.</summary>
    static abstract long BytesPerPage { get; }

    /// <summary>A 64-bit hash over everything above: equal hashes mean equal bytes at equal offsets.</summary>
    static abstract ulong LayoutHash { get; }

    /// <summary>Bytes of a pool of <paramref name="pages"/> pages, all layers.</summary>
    static abstract long PoolBytes(int pages);

    /// <summary>Byte offset of one plane of one page in one layer of a pool of <paramref name="poolPages"/> pages.</summary>
    static abstract long PlaneOffset(int poolPages, int layer, int page, int plane);

    /// <summary>Byte offset, inside a plane, of the first element of one local head of one token.</summary>
    static abstract long ElementOffset(int token, int head);

    /// <summary>
    /// Copies tokens [0, <paramref name="tokens"/>) of the listed pages of one layer out of a pool into
    /// <paramref name="destination"/> in canonical order [plane][token][head][element].
    /// </summary>
    /// <exception cref="ArgumentException">A page, the layer or a length is out of range; the message names it.</exception>
    static abstract void Gather(ReadOnlySpan<byte> pool, int poolPages, int layer, ReadOnlySpan<int> pages, int tokens, Span<byte> destination);

    /// <summary>The inverse of <see cref="Gather"/>.</summary>
    /// <exception cref="ArgumentException">A page, the layer or a length is out of range; the message names it.</exception>
    static abstract void Scatter(ReadOnlySpan<byte> source, Span<byte> pool, int poolPages, int layer, ReadOnlySpan<int> pages, int tokens);
}
