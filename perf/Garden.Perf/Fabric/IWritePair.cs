namespace Garden.Perf.Fabric;

/// <summary>
/// Two ends that write to each other, both driven by the calling thread: what is measured is the cost of both sides, whatever else the
/// machine's other cores do. Every write carries an immediate, which the other end counts.
/// </summary>
internal interface IWritePair : IDisposable
{
    /// <summary>Runs operations with the workload's depth, until all are complete here and counted there.</summary>
    void Write(Workload workload, long operations);

    /// <summary>Stopwatch ticks from the call to the count at the other end. The write has completed when it returns.</summary>
    long OneWay(long bytes);

    /// <summary>Stopwatch ticks there and back.</summary>
    long RoundTrip(long bytes);
}
