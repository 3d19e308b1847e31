using System.Diagnostics;

namespace Garden.Perf.Fabric;

/// <summary>Ends a polling loop with an exception rather than never, and looks at the clock seldom enough not to be measured.</summary>
internal struct TurnLimit
{
    private const int TurnsPerLook = 1 << 14;
    private static readonly TimeSpan s_most = TimeSpan.FromSeconds(30);
    private int _turns;
    private long _started;

    public void Count()
    {
        if (++_turns % TurnsPerLook == 0)
            Look();
    }

    private void Look()
    {
        if (_started == 0)
            _started = Stopwatch.GetTimestamp();
        else if (Stopwatch.GetElapsedTime(_started) > s_most)
            throw new TimeoutException($"Nothing came within {s_most.TotalSeconds} s of polling.");
    }
}
