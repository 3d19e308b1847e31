namespace Garden;

/// <summary>Listed pages of a region: page number p begins at <c>Offset + p × Stride</c>.</summary>
public readonly ref struct PageSpan
{
    /// <summary>Pages of a region.</summary>
    /// <param name="indices">Page numbers, in order.</param>
    /// <param name="stride">Bytes between two consecutive page numbers.</param>
    /// <param name="offset">Byte offset of page number 0.</param>
    public PageSpan(ReadOnlySpan<int> indices, long stride, long offset = 0)
    {
        Indices = indices;
        Stride = stride;
        Offset = offset;
    }

    /// <summary>Page numbers, in order.</summary>
    public ReadOnlySpan<int> Indices { get; }

    /// <summary>Bytes between two consecutive page numbers.</summary>
    public long Stride { get; }

    /// <summary>Byte offset of page number 0.</summary>
    public long Offset { get; }
}
