namespace Garden.Fabric.Simulation;

/// <summary>What goes from one NIC to another.</summary>
internal sealed class SimulatedFlow(int index, SimulatedNic from, SimulatedNic to)
{
    /// <summary>The most operations on the way, however small: a queue pair's depth.</summary>
    private const int MostOperations = 1024;

    // A ring of what is on the way, in order.
    private (long Acknowledged, long Bytes)[] _quanta = new (long, long)[4];
    private int _first;
    private int _count;
    private long _onTheWay;

    public int Index { get; } = index;

    public SimulatedNic From { get; } = from;

    public SimulatedNic To { get; } = to;

    /// <summary>The message that is being sent, −1 for none.</summary>
    public int First { get; set; } = -1;

    public int Last { get; set; } = -1;

    /// <summary>True while it is in its sender's turn, or waits for its window.</summary>
    public bool IsOffered { get; set; }

    /// <summary>Whether a quantum may go now, and else when.</summary>
    public bool HasWindow(long now, out long opens)
    {
        while (_count != 0 && _quanta[_first].Acknowledged <= now)
            Forget();
        bool full = _onTheWay >= From.Options.WindowBytes || _count == MostOperations;
        opens = full ? _quanta[_first].Acknowledged : now;
        return !full;
    }

    public void Sent(long bytes, long acknowledged)
    {
        if (_count == _quanta.Length)
            Grow();
        _quanta[(_first + _count++) % _quanta.Length] = (acknowledged, bytes);
        _onTheWay += bytes;
    }

    private void Grow()
    {
        var larger = new (long, long)[2 * _quanta.Length];
        for (int i = 0; i < _count; i++)
            larger[i] = _quanta[(_first + i) % _quanta.Length];
        (_quanta, _first) = (larger, 0);
    }

    private void Forget()
    {
        _onTheWay -= _quanta[_first].Bytes;
        _first = (_first + 1) % _quanta.Length;
        _count--;
    }
}
