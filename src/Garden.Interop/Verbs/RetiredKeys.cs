namespace Garden.Interop.Verbs;

/// <summary>
/// The remote keys that ended last. Peers remember fewer of them and refuse to write with those; a device gives the numbers out again, so a
/// new region must not get one of them. Under the domain's lock.
/// </summary>
internal sealed class RetiredKeys
{
    /// <summary>How many ended keys a peer remembers at most.</summary>
    public const int RememberedByPeers = 4096;

    private readonly Queue<uint> _order = new();
    private readonly HashSet<uint> _keys = [];

    public void Add(uint key)
    {
        if (!_keys.Add(key))
            return;
        _order.Enqueue(key);
        if (_order.Count > 2 * RememberedByPeers)
            _keys.Remove(_order.Dequeue());
    }

    public bool Contains(uint key) => _keys.Contains(key);
}
