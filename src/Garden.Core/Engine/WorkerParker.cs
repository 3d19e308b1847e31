using System.Diagnostics;
using System.Runtime.InteropServices;
using Garden.Fabric;

namespace Garden;

/// <summary>Parks a worker's thread and wakes it.</summary>
/// <remarks>
/// Protocol. The worker stores Parking with a full fence, then looks once more for work; a producer publishes its work with a full
/// fence, then reads the state. So one of the two sees the other. Who moves Parking back to Awake signals. A wake while the
/// worker is awake is one load. On Linux a park is one ppoll over an eventfd and the NICs' descriptors, elsewhere an event.
/// </remarks>
internal sealed class WorkerParker : IWorkerSignal, IDisposable
{
    private const int Awake = 0;
    private const int Parking = 1;

    /// <summary>A park shorter than this costs more than it saves.</summary>
    private static readonly long s_shortest = Stopwatch.Frequency / 50_000;

    private readonly DescriptorWait? _descriptors = OperatingSystem.IsLinux() ? new DescriptorWait() : null;
    private readonly ManualResetEventSlim? _event = OperatingSystem.IsLinux() ? null : new ManualResetEventSlim(false, spinCount: 0);
    private PaddedState _state;

    /// <summary>Worker, before it runs: ends parks when a descriptor becomes readable.</summary>
    public void Watch(int descriptor)
    {
        if (_descriptors is null)
            throw new PlatformNotSupportedException("NICs with a wait descriptor need Linux.");
        _descriptors.Watch(descriptor);
    }

    /// <summary>Worker: stops watching a descriptor.</summary>
    public void Unwatch(int descriptor) => _descriptors?.Unwatch(descriptor);

    /// <summary>Worker: announces that it is about to park. Look for work after this, then call <see cref="TryPark"/> or <see cref="Cancel"/>.</summary>
    public void Prepare()
    {
        _event?.Reset();
        Interlocked.Exchange(ref _state.Value, Parking);
    }

    /// <summary>Worker: there was work after all.</summary>
    public void Cancel() => Interlocked.Exchange(ref _state.Value, Awake);

    /// <summary>Worker: waits for a wake, at most so many stopwatch ticks. False, without having waited, when that is too short to park.</summary>
    public bool TryPark(long ticks)
    {
        bool parks = ticks >= (_event is null ? s_shortest : Stopwatch.Frequency / 1000);
        if (parks && _event is null)
            _descriptors!.Wait(ticks);
        else if (parks)
            _event!.Wait((int)Math.Min(int.MaxValue, ticks / (Stopwatch.Frequency / 1000)));
        Interlocked.Exchange(ref _state.Value, Awake);
        return parks;
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
        if (Volatile.Read(ref _state.Value) != Parking || Interlocked.Exchange(ref _state.Value, Awake) != Parking)
            return;
        if (_event is null)
            _descriptors!.Signal();
        else
            _event.Set();
    }

    public void Dispose()
    {
        _descriptors?.Dispose();
        _event?.Dispose();
    }

    /// <summary>Submitters read it with every request; on the heap it lies beside the worker, whose fields change with every turn.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct PaddedState
    {
        [FieldOffset(128)]
        public int Value;
    }
}
