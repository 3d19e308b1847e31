namespace Garden;

/// <summary>
/// A monotonic 64-bit value that a model loop (or, through <see cref="Address"/>, a device) raises and the engine's worker
/// reacts to. Raises coalesce: the handler sees the last value.
/// </summary>
public sealed unsafe class ProgressWatcher : IDisposable
{
    private readonly WatcherSet _set;
    private readonly ulong* _value;

    internal ProgressWatcher(WatcherSet set, int index, ulong* value, ProgressHandler handler)
    {
        _set = set;
        _value = value;
        Index = index;
        Handler = handler;
    }

    /// <summary>The value's address: 8 bytes on a cache line of their own, for writers other than <see cref="Signal"/>. Needs <see cref="ArmForDevice"/>.</summary>
    public nint Address => (nint)_value;

    /// <summary>The value now.</summary>
    public ulong Value => Volatile.Read(ref *_value);

    internal int Index { get; }

    internal ProgressHandler Handler { get; }

    /// <summary>What the handler returned last; the worker's.</summary>
    internal ulong Handled { get; set; }

    internal bool ArmedForDevice { get; private set; }

    internal bool Disposed { get; private set; }

    /// <summary>Raises the value to <paramref name="value"/> and wakes the worker. A smaller value changes nothing. Allocates nothing.</summary>
    public void Signal(ulong value)
    {
        ObjectDisposedException.ThrowIf(Disposed, this);
        ulong seen = Volatile.Read(ref *_value);
        while (seen < value)
        {
            ulong found = Interlocked.CompareExchange(ref *_value, value, seen);
            if (found == seen)
                break;
            seen = found;
        }

        _set.Signal();
    }

    /// <summary>Tells the worker to look at <see cref="Address"/> on every turn, without a signal; it does not park meanwhile.</summary>
    /// <exception cref="ObjectDisposedException">It was disposed. Disarming is possible also then.</exception>
    public void ArmForDevice(bool armed = true)
    {
        ObjectDisposedException.ThrowIf(Disposed && armed, this);
        if (ArmedForDevice == armed)
            return;
        ArmedForDevice = armed;
        if (Disposed)
            _set.Free(Index);
        else
            _set.Arm(armed ? 1 : -1);
    }

    /// <summary>
    /// Ends the watcher. The handler may still be running on the worker when this returns; it is not called again. While it is armed
    /// for a device, which may store to <see cref="Address"/> at any time, no other watcher gets that address: disarm it when the device is done.
    /// </summary>
    public void Dispose()
    {
        if (Disposed)
            return;
        Disposed = true;
        _set.Remove(Index);
        if (ArmedForDevice)
            _set.Arm(-1);
        else
            _set.Free(Index);
    }
}
