namespace Garden.KvCache;

/// <summary>
/// Who a <see cref="KvPageLease"/> gives its pages back to: a <see cref="KvPagePool"/>, or the block manager of a server, which
/// keeps its own lists and reference counts and hands Garden the pages of a request as
/// <see cref="KvPageLease(IKvPageOwner, ReadOnlySpan{int})"/>.
/// </summary>
/// <remarks>
/// A lease calls exactly one of the two members, once, on the thread that ends it: a caller's, or one of the thread pool. They must be
/// thread-safe and must not block.
/// </remarks>
public interface IKvPageOwner
{
    /// <summary>Nothing writes to the pages or reads from them for this lease any more: they may be used again.</summary>
    void Return(ReadOnlySpan<int> pages);

    /// <summary>A write to the pages may still land, and nothing can prove the contrary: they must not be used again.</summary>
    void Leak(ReadOnlySpan<int> pages);
}
