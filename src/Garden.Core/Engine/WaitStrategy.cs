namespace Garden;

/// <summary>How a worker waits: it polls for a while, then yields its core between polls, then parks until it is woken.</summary>
/// <param name="Spins">Idle polls before yielding.</param>
/// <param name="Yields">Idle polls with a yield each before parking.</param>
/// <param name="Parks">False: never park; the worker keeps a core busy.</param>
public readonly record struct WaitStrategy(int Spins, int Yields, bool Parks)
{
    /// <summary>Some microseconds of polling, then park: idle costs nothing. The default.</summary>
    public static WaitStrategy Balanced => new(500, 20, Parks: true);

    /// <summary>About a millisecond of polling before parking.</summary>
    public static WaitStrategy LowLatency => new(20_000, 200, Parks: true);

    /// <summary>Never parks: for a worker on a core of its own.</summary>
    public static WaitStrategy BusyPoll => new(int.MaxValue, 0, Parks: false);

    /// <summary>Parks at once: for machines with fewer cores than workers.</summary>
    public static WaitStrategy Economic => new(0, 2, Parks: true);
}
