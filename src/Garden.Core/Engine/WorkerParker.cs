using System.Runtime.InteropServices;
using Garden.Fabric;

namespace Garden;

/// <summary>Parks a worker's thread and wakes it.</summary>
/// <remarks>
/// Protocol. The worker stores Parking with a full fence, then looks once more for work; a producer publishes its work with a full
/// fence, then reads the state. So one of the two sees the other. Who moves Parking back to Awake sets the event. A wake
/// while the worker is awake is one load.
/// </remarks>
internal sealed class WorkerParker : IWorkerSignal, IDisposable
{
    private const int Awake = 0;
    private const int Parking = 1;

    private readonly ManualResetEventSlim _event = new(false, spinCount: 0);
    private PaddedState _state;

    /// <summary>Worker: announces that it is about to park. Look for work after this, then call <see cref="Park"/> or <see cref="Cancel"/>.</summary>
    public void Prepare()
    {
        _event.Reset();
        Interlocked.Exchange(ref _state.Value, Parking);
    }

    /// <summary>Worker: there was work after all.</summary>
    public void Cancel() => Interlocked.Exchange(ref _state.Value, Awake);

    /// <summary>Worker: waits for a wake, at most <paramref name="milliseconds"/>.</summary>
    public void Park(int milliseconds)
    {
        _event.Wait(milliseconds);
        Interlocked.Exchange(ref _state.Value, Awake);
    }

    /// <inheritdoc/>
    public void Wake()
    {
        Interlocked.MemoryBarrier();
        WakeAfterFence();
    }

    /// <summary>As <see cref="Wake"/>, for a producer whose publishing store was a full fence.</summary>
    public void WakeAfterFence()
    {
        if (Volatile.Read(ref _state.Value) == Parking && Interlocked.Exchange(ref _state.Value, Awake) == Parking)
            _event.Set();
    }

    public void Dispose() => _event.Dispose();

    /// <summary>Submitters read it with every request; on the heap it lies beside the worker, whose fields change with every turn.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct PaddedState
    {
        [FieldOffset(128)]
        public int Value;
    }
}
