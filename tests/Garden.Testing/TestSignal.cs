using Garden.Fabric;

namespace Garden.Testing;

/// <summary>A worker's signal for tests: remembers a wake until the next park.</summary>
public sealed class TestSignal : IWorkerSignal, IDisposable
{
    private readonly ManualResetEventSlim _event = new(false);
    private long _wakes;

    /// <summary>How often it was woken.</summary>
    public long Wakes => Volatile.Read(ref _wakes);

    /// <inheritdoc/>
    public void Wake()
    {
        Interlocked.Increment(ref _wakes);
        _event.Set();
    }

    /// <summary>To be called before arming: a wake from here on ends the next park.</summary>
    public void Reset() => _event.Reset();

    /// <summary>Waits for a wake; false when the deadline passed.</summary>
    public bool Park(Deadline deadline) => _event.Wait(deadline.Left);

    /// <inheritdoc/>
    public void Dispose() => _event.Dispose();
}
