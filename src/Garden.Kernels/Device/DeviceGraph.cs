namespace Garden.Kernels;

/// <summary>A recorded sequence of work that is put on a stream with one call. What it refers to must stay alive.</summary>
public abstract class DeviceGraph : IDisposable
{
    private protected DeviceGraph()
    {
    }

    /// <summary>Puts the whole recording on a stream of the same device.</summary>
    public abstract void Replay(DeviceStream stream);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Destroys the graph.</summary>
    protected abstract void Dispose(bool disposing);
}
