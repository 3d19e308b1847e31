namespace Garden.Fabric.Simulation;

/// <summary>
/// Virtual time: what is due, in the order of its times and, at one time, in the order it was asked for. Belongs to one thread;
/// the same calls give the same run.
/// </summary>
/// <remarks>A binary heap of values: a step allocates nothing once the heap has grown.</remarks>
public sealed class SimulationClock
{
    private Entry[] _heap = new Entry[1024];
    private int _count;
    private long _sequence;

    /// <summary>Picoseconds a second: a byte at 400 Gb/s takes 20.</summary>
    public const long PerSecond = 1_000_000_000_000;

    /// <summary>Now, in picoseconds since the beginning; 2⁶³ of them are 106 days.</summary>
    public long Now { get; private set; }

    /// <summary>Now, in seconds.</summary>
    public double Seconds => (double)Now / PerSecond;

    /// <summary>Steps made.</summary>
    public long Steps { get; private set; }

    /// <summary>When the next thing is due; <see cref="long.MaxValue"/> for never.</summary>
    public long NextDue => _count == 0 ? long.MaxValue : _heap[0].Due;

    /// <summary>Picoseconds that <paramref name="bytes"/> take at a bandwidth.</summary>
    public static long TimeOf(long bytes, double bytesPerSecond) => (long)Math.Round(bytes / bytesPerSecond * PerSecond);

    /// <summary>Picoseconds of an interval.</summary>
    public static long TimeOf(TimeSpan interval) => checked(interval.Ticks * (PerSecond / TimeSpan.TicksPerSecond));

    /// <summary>Calls a handler at a time.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The time is past.</exception>
    public void Schedule(long due, ISimulationHandler handler, long argument)
    {
        ArgumentNullException.ThrowIfNull(handler);
        ArgumentOutOfRangeException.ThrowIfLessThan(due, Now);
        if (_count == _heap.Length)
            Array.Resize(ref _heap, 2 * _count);
        var entry = new Entry(due, _sequence++, handler, argument);
        int at = _count++;
        while (at > 0 && entry.IsBefore(in _heap[(at - 1) / 2]))
        {
            _heap[at] = _heap[(at - 1) / 2];
            at = (at - 1) / 2;
        }

        _heap[at] = entry;
    }

    /// <summary>Goes to the next thing that is due and does it; false when nothing is.</summary>
    public bool Step()
    {
        if (_count == 0)
            return false;
        Entry first = _heap[0];
        RemoveFirst();
        Now = first.Due;
        Steps++;
        first.Handler.Handle(first.Argument);
        return true;
    }

    /// <summary>Does all that is due up to a time and goes there.</summary>
    public void RunUntil(long time)
    {
        while (NextDue <= time)
            Step();
        Now = Math.Max(Now, time);
    }

    private void RemoveFirst()
    {
        Entry last = _heap[--_count];
        _heap[_count] = default;
        int at = 0;
        while ((2 * at) + 1 < _count)
        {
            int child = (2 * at) + 1;
            if (child + 1 < _count && _heap[child + 1].IsBefore(in _heap[child]))
                child++;
            if (!_heap[child].IsBefore(in last))
                break;
            _heap[at] = _heap[child];
            at = child;
        }

        if (_count != 0)
            _heap[at] = last;
    }

    private readonly record struct Entry(long Due, long Sequence, ISimulationHandler Handler, long Argument)
    {
        public bool IsBefore(in Entry other) => Due < other.Due || (Due == other.Due && Sequence < other.Sequence);
    }
}
