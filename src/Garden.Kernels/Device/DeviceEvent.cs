namespace Garden.Kernels;

/// <summary>A point in a stream that others wait for. One that was never recorded has happened.</summary>
public abstract class DeviceEvent : IDisposable
{
    private protected DeviceEvent()
    {
    }

    /// <summary>True when it has happened.</summary>
    public abstract bool HasHappened { get; }

    /// <summary>Waits on the calling thread until it has happened.</summary>
    public abstract void Synchronize();

    /// <summary>The time from <paramref name="earlier"/> to this one, by the device's clock.</summary>
    /// <exception cref="InvalidOperationException">One of the events was created without timing.</exception>
    public abstract TimeSpan Since(DeviceEvent earlier);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Destroys the event, or lets go of it when it is another owner's.</summary>
    protected abstract void Dispose(bool disposing);
}
