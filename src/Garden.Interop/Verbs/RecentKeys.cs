namespace Garden.Interop.Verbs;

/// <summary>The keys that were added last, so many of them. Under the domain's lock.</summary>
internal sealed class RecentKeys(int capacity)
{
    private readonly Queue<ulong> _order = new();
    private readonly HashSet<ulong> _keys = [];

    public void Add(ulong key)
    {
        if (!_keys.Add(key))
            return;
        _order.Enqueue(key);
        if (_order.Count > capacity)
            _keys.Remove(_order.Dequeue());
    }

    public bool Contains(ulong key) => _keys.Contains(key);
}
