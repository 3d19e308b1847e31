using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;

namespace Garden;

/// <summary>A worker's progress watchers.</summary>
/// <remarks>
/// Protocol. A signal raises the value, then sets the flag (full fence) and wakes the worker. The worker clears the flag, then
/// reads the values; so a value raised after its read has set the flag again.
/// </remarks>
internal sealed unsafe class WatcherSet
{
    private const int LineBytes = 64;

    /// <summary>Values have pages of their own: a device pins them whole, and must not pin its neighbours on the heap.</summary>
    private const int PageBytes = 4096;
    private readonly Lock _lock = new();
    private readonly Queue<int> _free = new();
    private readonly byte* _values;
    private readonly ProgressWatcher?[] _watchers;
    private readonly WorkerParker _parker;
    private int _used;
    private int _signalled;
    private int _armed;

    public WatcherSet(int capacity, WorkerParker parker)
    {
        _watchers = new ProgressWatcher?[capacity];
        _values = (byte*)NativeMemory.AlignedAlloc((((nuint)capacity * LineBytes) + PageBytes - 1) & ~(nuint)(PageBytes - 1), PageBytes);
        _parker = parker;
    }

    /// <summary>True while a device may raise a value without a signal: the worker must not park.</summary>
    public bool IsArmed => Volatile.Read(ref _armed) > 0;

    public bool IsSignalled => Volatile.Read(ref _signalled) != 0;

    public ProgressWatcher Add(ProgressHandler handler)
    {
        lock (_lock)
        {
            if (!_free.TryDequeue(out int index))
            {
                if (_used == _watchers.Length)
                    throw new InvalidOperationException($"All {_watchers.Length} progress watchers are in use; dispose some or raise TransferEngineOptions.MaxWatchers.");
                index = _used++;
            }

            var value = (ulong*)(_values + ((nint)index * LineBytes));
            *value = 0;
            var watcher = new ProgressWatcher(this, index, value, handler);
            Volatile.Write(ref _watchers[index], watcher);
            return watcher;
        }
    }

    /// <summary>Calls its handler no more.</summary>
    public void Remove(int index)
    {
        lock (_lock)
            _watchers[index] = null;
    }

    /// <summary>Nobody stores to the value of a watcher that was removed: another one may have it.</summary>
    public void Free(int index)
    {
        lock (_lock)
            _free.Enqueue(index);
    }

    public void Signal()
    {
        Interlocked.Exchange(ref _signalled, 1);
        _parker.WakeAfterFence();
    }

    public void Arm(int delta)
    {
        Interlocked.Add(ref _armed, delta);
        Signal();
    }

    /// <summary>Worker: calls the handlers of watchers that moved. True when any did.</summary>
    public bool Run(ILogger logger)
    {
        if (!IsSignalled && !IsArmed)
            return false;
        Interlocked.Exchange(ref _signalled, 0);
        bool worked = false;
        int used = Volatile.Read(ref _used);
        for (int i = 0; i < used; i++)
        {
            if (Volatile.Read(ref _watchers[i]) is { } watcher && watcher.Value is var reached && reached > watcher.Handled)
            {
                worked = true;
                RunOne(watcher, reached, logger);
            }
        }

        return worked;
    }

    /// <summary>Freed by the finalizer: watchers that outlive their engine still point here.</summary>
    ~WatcherSet() => NativeMemory.AlignedFree(_values);

    private void RunOne(ProgressWatcher watcher, ulong reached, ILogger logger)
    {
        try
        {
            watcher.Handled = watcher.Handler(watcher.Handled, reached);
        }
        catch (Exception exception)
        {
            // A handler's error is the user's: it is told, and the worker goes on.
            watcher.Handled = reached;
            GardenLog.CallbackFailed(logger, "progress handler", exception);
        }

        if (watcher.Handled < reached)
            Interlocked.Exchange(ref _signalled, 1);
    }
}
