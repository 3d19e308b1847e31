namespace Garden.Kernels;

/// <summary>A queue of work on a device, in order. One thread at a time puts work on it.</summary>
public abstract class DeviceStream : IDisposable
{
    private protected DeviceStream(KernelDevice device) => Device = device;

    /// <summary>The device.</summary>
    public KernelDevice Device { get; }

    /// <summary>True when everything put on the stream has ended.</summary>
    /// <exception cref="CudaException">Something on it has failed.</exception>
    public abstract bool IsIdle { get; }

    /// <summary>Copies bytes between any two addresses the device reaches: its own memory, a peer's, or the host's.</summary>
    public abstract void Copy(nint destination, nint source, long bytes);

    /// <summary>Sets bytes.</summary>
    public abstract void Fill(nint address, byte value, long bytes);

    /// <summary>Stores 8 bytes behind everything put on the stream so far: who reads them, on the host or on a peer, sees all of that too.</summary>
    /// <param name="address">A multiple of 8, in the device's memory or in host memory mapped for it.</param>
    /// <param name="value">What to store.</param>
    public abstract void WriteFlag(nint address, ulong value);

    /// <summary>Lets <paramref name="recorded"/> happen when everything put on the stream so far has ended.</summary>
    public abstract void Record(DeviceEvent recorded);

    /// <summary>Lets what is put on the stream from now on wait for <paramref name="awaited"/>.</summary>
    public abstract void Wait(DeviceEvent awaited);

    /// <summary>Waits on the calling thread until everything put on the stream has ended.</summary>
    /// <exception cref="CudaException">Something on it has failed.</exception>
    public abstract void Synchronize();

    /// <summary>From here on, what is put on the stream is recorded instead of run.</summary>
    /// <exception cref="InvalidOperationException">The stream is capturing already.</exception>
    public abstract void BeginCapture();

    /// <summary>Ends the capture and returns what was recorded, ready to be replayed. Parameters are those of the recording.</summary>
    /// <exception cref="InvalidOperationException">The stream is not capturing.</exception>
    public abstract DeviceGraph EndCapture();

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Destroys the stream, or lets go of it when it is another owner's.</summary>
    protected abstract void Dispose(bool disposing);
}
