namespace Garden.Weights;

/// <summary>
/// The trainer ranks that gather from this one. A step ends here when each has said that it gathers nothing more for it: until then
/// this rank's tensors must stay. One that has died is not waited for, nor is its successor, which begins with a later step; one that
/// never introduced itself is, because it may be about to. Thread-safe.
/// </summary>
internal sealed class WeightGatherers(IReadOnlyCollection<int> ranks)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, Gatherer> _gatherers = ranks.ToDictionary(static rank => rank, static _ => new Gatherer(null, 0));
    private readonly HashSet<int> _owed = [];
    private TaskCompletionSource _served = new();
    private long _step;

    /// <summary>The ranks that the step which began last still waits for, in order.</summary>
    public int[] Owed
    {
        get
        {
            lock (_lock)
                return [.. _owed.Order()];
        }
    }

    /// <summary>The connection of a rank; null when it never introduced itself, or does not gather here.</summary>
    public Peer? PeerOf(int rank)
    {
        lock (_lock)
            return _gatherers.GetValueOrDefault(rank)?.Peer;
    }

    /// <summary>A rank has introduced itself. Those that do not gather by the schedule are not waited for.</summary>
    public void Join(int rank, Peer peer)
    {
        lock (_lock)
        {
            if (!_gatherers.TryGetValue(rank, out Gatherer? before))
                return;
            _gatherers[rank] = before with { Peer = peer };
            if (before.Peer is { State: not PeerState.Ready })
                Release(rank);
        }
    }

    /// <summary>Begins a step. The task completes when nobody gathers for it any more.</summary>
    public Task Begin(long step)
    {
        lock (_lock)
        {
            _step = step;
            _owed.Clear();
            foreach ((int rank, Gatherer gatherer) in _gatherers)
            {
                if (gatherer.Through < step && gatherer.Peer is not { State: not PeerState.Ready })
                    _owed.Add(rank);
            }

            _served = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (_owed.Count == 0)
                _served.SetResult();
            return _served.Task;
        }
    }

    /// <summary>A rank gathers nothing more for steps up to this one.</summary>
    public void Through(Peer peer, long step)
    {
        lock (_lock)
        {
            if (RankOf(peer) is not { } rank || _gatherers[rank].Through >= step)
                return;
            _gatherers[rank] = _gatherers[rank] with { Through = step };
            if (step >= _step)
                Release(rank);
        }
    }

    /// <summary>A connection has ended.</summary>
    public void Lose(Peer peer)
    {
        lock (_lock)
        {
            if (RankOf(peer) is { } rank)
                Release(rank);
        }
    }

    private int? RankOf(Peer peer)
    {
        foreach ((int rank, Gatherer gatherer) in _gatherers)
        {
            if (gatherer.Peer == peer)
                return rank;
        }

        return null;
    }

    private void Release(int rank)
    {
        if (_owed.Remove(rank) && _owed.Count == 0)
            _served.TrySetResult();
    }

    /// <summary>One of them.</summary>
    /// <param name="Peer">Its connection.</param>
    /// <param name="Through">The step up to which it has everything.</param>
    private sealed record Gatherer(Peer? Peer, long Through);
}
