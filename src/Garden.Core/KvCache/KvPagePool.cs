using System.Numerics;

namespace Garden.KvCache;

/// <summary>
/// Hands out page indices of a pool as leases. A page is free, leased or leaked; a leaked page is never handed out again,
/// because a write to it may still be on its way. Thread-safe.
/// </summary>
/// <remarks>
/// Pages are taken in the pool's order from where the last lease ended, so that long runs of neighbours stay together and
/// coalesce into long writes, and a returned page is used again as late as possible.
/// </remarks>
public sealed class KvPagePool : IKvPageOwner
{
    private const int WordBits = 64;
    private readonly Lock _lock = new();
    private readonly LinkedList<Waiter> _waiters = new();
    private readonly int[] _order;
    private readonly int[] _slotOfPage;
    private readonly ulong[] _free;
    private int _freeCount;
    private int _cursor;
    private int _leaked;

    /// <summary>A pool of pages 0 … <paramref name="pages"/> − 1, handed out in ascending order.</summary>
    public KvPagePool(int pages)
        : this(Ascending(pages))
    {
    }

    /// <summary>A pool of the listed pages, handed out in the order of the list. Pages not listed are never handed out.</summary>
    /// <exception cref="PlanException">A page is negative or listed twice; the message names it.</exception>
    public KvPagePool(ReadOnlySpan<int> order)
        : this(order.ToArray())
    {
    }

    private KvPagePool(int[] order)
    {
        _order = order;
        int largest = -1;
        foreach (int page in order)
        {
            if (page < 0)
                ThrowHelper.ThrowNegativePage(page, Array.IndexOf(order, page));
            largest = Math.Max(largest, page);
        }

        _slotOfPage = new int[largest + 1];
        Array.Fill(_slotOfPage, -1);
        _free = new ulong[(order.Length + WordBits - 1) / WordBits];
        for (int slot = 0; slot < order.Length; slot++)
        {
            if (_slotOfPage[order[slot]] >= 0)
                throw new PlanException($"Page {order[slot]} is listed twice, at {_slotOfPage[order[slot]]} and {slot}; list each page once.");
            _slotOfPage[order[slot]] = slot;
            SetFree(slot);
        }

        _freeCount = order.Length;
    }

    /// <summary>Pages in the pool.</summary>
    public int Capacity => _order.Length;

    /// <summary>Pages nobody holds.</summary>
    public int FreePages
    {
        get
        {
            lock (_lock)
                return _freeCount;
        }
    }

    /// <summary>Pages held by leases.</summary>
    public int LeasedPages
    {
        get
        {
            lock (_lock)
                return _order.Length - _freeCount - _leaked;
        }
    }

    /// <summary>Pages given up because a write to them may still land. They stay out of use for the life of the pool.</summary>
    public int LeakedPages
    {
        get
        {
            lock (_lock)
                return _leaked;
        }
    }

    /// <summary>Leases <paramref name="pages"/> pages, or returns null when fewer are free or others wait already.</summary>
    /// <exception cref="PlanException">The pool never has that many pages.</exception>
    public KvPageLease? TryLease(int pages)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(pages);
        lock (_lock)
        {
            RequirePossible(pages);
            return _waiters.Count == 0 && pages <= _freeCount ? Take(pages) : null;
        }
    }

    /// <summary>Leases <paramref name="pages"/> pages, waiting in line for them.</summary>
    /// <exception cref="PlanException">The pool never has that many pages.</exception>
    /// <exception cref="TimeoutException">They did not become free before the deadline.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled.</exception>
    public async ValueTask<KvPageLease> LeaseAsync(int pages, TimeSpan deadline, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(pages);
        LinkedListNode<Waiter> node;
        lock (_lock)
        {
            RequirePossible(pages);
            if (_waiters.Count == 0 && pages <= _freeCount)
                return Take(pages);
            node = _waiters.AddLast(new Waiter(pages));
        }

        try
        {
            return await node.Value.Source.Task.WaitAsync(deadline, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            // The lease may have been granted between the timeout and here: then it goes back.
            KvPageLease? granted = Withdraw(node);
            granted?.Dispose();
            if (exception is TimeoutException)
                throw new TimeoutException($"{pages} pages did not become free within {deadline}: {FreePages} of {Capacity} are free, {LeakedPages} leaked; enlarge the pool or hold fewer requests at a time.", exception);
            throw;
        }
    }

    void IKvPageOwner.Return(ReadOnlySpan<int> pages)
    {
        List<(Waiter Waiter, KvPageLease Lease)>? granted = null;
        lock (_lock)
        {
            foreach (int page in pages)
                SetFree(_slotOfPage[page]);
            _freeCount += pages.Length;
            granted = GrantWaiters();
        }

        Complete(granted);
    }

    void IKvPageOwner.Leak(ReadOnlySpan<int> pages)
    {
        List<(Waiter Waiter, KvPageLease Lease)>? granted;
        lock (_lock)
        {
            _leaked += pages.Length;
            // Who waits for more than is left waits in vain, and keeps those behind it waiting.
            for (LinkedListNode<Waiter>? node = _waiters.First; node is not null;)
            {
                LinkedListNode<Waiter>? next = node.Next;
                if (node.Value.Pages > _order.Length - _leaked)
                {
                    _waiters.Remove(node);
                    node.Value.Source.TrySetException(new PlanException($"{node.Value.Pages} pages were asked for; the pool has {_order.Length} of which {_leaked} leaked. Enlarge the pool."));
                }

                node = next;
            }

            granted = GrantWaiters();
        }

        Complete(granted);
    }

    private static void Complete(List<(Waiter Waiter, KvPageLease Lease)>? granted)
    {
        if (granted is null)
            return;
        foreach ((Waiter waiter, KvPageLease lease) in granted)
            waiter.Source.SetResult(lease);
    }

    private static int[] Ascending(int pages)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(pages);
        int[] order = new int[pages];
        for (int i = 0; i < pages; i++)
            order[i] = i;
        return order;
    }

    private KvPageLease? Withdraw(LinkedListNode<Waiter> node)
    {
        List<(Waiter Waiter, KvPageLease Lease)>? granted = null;
        KvPageLease? own = null;
        lock (_lock)
        {
            if (node.List is not null)
                _waiters.Remove(node);
            else
                own = node.Value.Granted;
            // A long wait at the head of the line may have held back a short one behind it.
            granted = GrantWaiters();
        }

        Complete(granted);
        return own;
    }

    private List<(Waiter Waiter, KvPageLease Lease)>? GrantWaiters()
    {
        List<(Waiter Waiter, KvPageLease Lease)>? granted = null;
        while (_waiters.First is { } first && first.Value.Pages <= _freeCount)
        {
            _waiters.RemoveFirst();
            first.Value.Granted = Take(first.Value.Pages);
            (granted ??= []).Add((first.Value, first.Value.Granted));
        }

        return granted;
    }

    private void RequirePossible(int pages)
    {
        if (pages > _order.Length - _leaked)
            throw new PlanException($"{pages} pages were asked for; the pool has {_order.Length} of which {_leaked} leaked. Enlarge the pool.");
    }

    private KvPageLease Take(int pages)
    {
        int[] taken = new int[pages];
        int slot = _cursor;
        for (int i = 0; i < pages; i++)
        {
            slot = NextFree(slot);
            _free[slot / WordBits] &= ~(1UL << (slot % WordBits));
            taken[i] = _order[slot++];
        }

        _cursor = slot;
        _freeCount -= pages;
        return new KvPageLease(this, taken);
    }

    /// <summary>The first free slot at or after <paramref name="slot"/>, going round; the caller knows that there is one.</summary>
    private int NextFree(int slot)
    {
        if (slot >= _order.Length)
            slot = 0;
        int word = slot / WordBits;
        ulong bits = _free[word] & (ulong.MaxValue << (slot % WordBits));
        while (bits == 0)
        {
            word = word + 1 == _free.Length ? 0 : word + 1;
            bits = _free[word];
        }

        return (word * WordBits) + BitOperations.TrailingZeroCount(bits);
    }

    private void SetFree(int slot) => _free[slot / WordBits] |= 1UL << (slot % WordBits);

    private sealed class Waiter(int pages)
    {
        public int Pages { get; } = pages;

        public KvPageLease? Granted { get; set; }

        public TaskCompletionSource<KvPageLease> Source { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
