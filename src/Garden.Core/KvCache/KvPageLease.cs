namespace Garden.KvCache;

/// <summary>
/// The right to use some pages of a <see cref="KvPagePool"/> or of another <see cref="IKvPageOwner"/>. It ends in exactly one of two
/// ways: disposing returns the pages, <see cref="Leak"/> takes them out of use for good because a write to them may still land.
/// </summary>
public sealed class KvPageLease : IDisposable
{
    private readonly IKvPageOwner _owner;
    private int[] _pages;
    private int _state;

    /// <summary>A lease of pages that <paramref name="owner"/> has set aside for it, in token order.</summary>
    /// <exception cref="PlanException">A page is negative; the message names it.</exception>
    public KvPageLease(IKvPageOwner owner, ReadOnlySpan<int> pages)
        : this(owner, pages.ToArray())
    {
        ArgumentNullException.ThrowIfNull(owner);
        for (int i = 0; i < pages.Length; i++)
        {
            if (pages[i] < 0)
                ThrowHelper.ThrowNegativePage(pages[i], i);
        }
    }

    internal KvPageLease(IKvPageOwner owner, int[] pages)
    {
        _owner = owner;
        _pages = pages;
    }

    /// <summary>The pages, in token order.</summary>
    public ReadOnlySpan<int> Pages => _pages;

    /// <summary>Number of pages.</summary>
    public int Count => _pages.Length;

    /// <summary>How the lease stands.</summary>
    public KvLeaseState State => (KvLeaseState)Volatile.Read(ref _state);

    /// <summary>Moves the first <paramref name="pages"/> pages to a lease of their own, to be returned separately.</summary>
    /// <exception cref="InvalidOperationException">The lease has ended.</exception>
    /// <remarks>Not to be called concurrently with other members of this lease.</remarks>
    public KvPageLease TakeFront(int pages)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(pages);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(pages, Count);
        if (State != KvLeaseState.Held)
            throw new InvalidOperationException($"The lease has ended ({State}); split it while it is held.");
        var front = new KvPageLease(_owner, _pages[..pages]);
        _pages = _pages[pages..];
        return front;
    }

    /// <summary>Returns the pages to their owner. Does nothing when the lease has ended already.</summary>
    public void Dispose()
    {
        if (Interlocked.CompareExchange(ref _state, (int)KvLeaseState.Returned, (int)KvLeaseState.Held) == (int)KvLeaseState.Held)
            _owner.Return(_pages);
    }

    /// <summary>
    /// Takes the pages out of use: the owner is told, and <c>garden.kv.leaked_pages</c> counts them. Does nothing when the lease has
    /// ended already.
    /// </summary>
    public void Leak()
    {
        if (Interlocked.CompareExchange(ref _state, (int)KvLeaseState.Leaked, (int)KvLeaseState.Held) != (int)KvLeaseState.Held)
            return;
        _owner.Leak(_pages);
        KvTelemetry.LeakedPages.Add(_pages.Length);
    }
}
