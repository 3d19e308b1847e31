using System.Diagnostics;

namespace Garden.Testing;

/// <summary>A point in time no wait of a test goes beyond. Expiry throws with the state, so that a hang explains itself.</summary>
public readonly struct Deadline
{
    private readonly long _at;

    private Deadline(long at) => _at = at;

    /// <summary>Long enough for anything that works, on a loaded machine too.</summary>
    public static Deadline Default => In(TimeSpan.FromSeconds(20));

    /// <summary>What is left, zero when it is over.</summary>
    public TimeSpan Left
    {
        get
        {
            long ticks = _at - Stopwatch.GetTimestamp();
            return ticks <= 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(0, ticks);
        }
    }

    /// <summary>True when it is over.</summary>
    public bool IsOver => Stopwatch.GetTimestamp() >= _at;

    /// <summary>A deadline from now on.</summary>
    public static Deadline In(TimeSpan time) => new(Stopwatch.GetTimestamp() + (long)(time.TotalSeconds * Stopwatch.Frequency));

    /// <summary>Throws with the state when it is over.</summary>
    /// <exception cref="TimeoutException">It is over.</exception>
    public void Check(Func<string> state)
    {
        if (IsOver)
            throw new TimeoutException($"The deadline has passed: {state()}");
    }

    /// <summary>Runs <paramref name="step"/> until <paramref name="condition"/> holds.</summary>
    /// <exception cref="TimeoutException">It did not in time; the message has the state.</exception>
    public void PollUntil(Func<bool> condition, Action step, Func<string> state)
    {
        while (!condition())
        {
            Check(state);
            step();
        }
    }

    /// <summary>Waits for threads to end.</summary>
    /// <exception cref="TimeoutException">One did not in time.</exception>
    public void Join(IEnumerable<Thread> threads, Func<string> state)
    {
        foreach (Thread thread in threads)
        {
            if (!thread.Join(Left))
                throw new TimeoutException($"Thread \"{thread.Name}\" did not end: {state()}");
        }
    }
}
