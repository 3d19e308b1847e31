using System.Collections.Concurrent;
using System.Security.Cryptography;
using Garden.Fabric;
using Microsoft.Extensions.Logging;

namespace Garden;

/// <summary>
/// Moves bytes between registered memory of this engine and its peers, over one or several devices. Thread-safe; submission,
/// progress and completion allocate nothing. See docs/engine.md for the map from TransferEngine's operations to these.
/// </summary>
public sealed partial class TransferEngine : IAsyncDisposable
{
    private readonly ILogger _logger;
    private readonly Worker[] _workers;
    private readonly SubmissionPort[] _ports;
    private readonly ConcurrentDictionary<MemoryRegion, bool> _memoryRegions = new();
    private readonly ConcurrentDictionary<Action<Peer>, bool> _readyHandlers = new();
    private readonly ConcurrentDictionary<Action<Peer, PeerFailedException>, bool> _endedHandlers = new();
    private readonly ConcurrentDictionary<Peer, bool> _peers = new();
    private readonly GardenMetrics.Registration _metrics;
    private Task? _disposal;
    private EngineFaultedException? _fault;
    private long _leakedWrites;
    private long _droppedMessages;
    private int _disposed;

    internal TransferEngine(IReadOnlyList<IFabric> fabrics, TransferEngineOptions options, ILogger logger)
    {
        Options = options;
        _logger = logger;
        Id = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
        Regions = new RegionTable(options.MaxRegions);
        Sources = new TransferSources(options.MaxTransfers);
        Counters = new CounterTable(options.MaxCounters, options.MaxNumbers);
        Channels = new MessageChannels(logger, CountDroppedMessage);
        var workers = new List<Worker>();
        try
        {
            for (int device = 0; device < fabrics.Count; device++)
                workers.Add(new Worker(this, device, fabrics[device], options, logger));
        }
        catch
        {
            foreach (Worker worker in workers)
                worker.Dispose();
            throw;
        }

        _workers = [.. workers];
        _ports = [.. workers.Select(static worker => worker.Port)];
        Devices = [.. workers.Select(static worker => new EngineDevice(worker))];
        _metrics = GardenMetrics.Register(this);
        try
        {
            foreach (Worker worker in _workers)
                worker.Start();
        }
        catch
        {
            Shutdown();
            throw;
        }
    }

    /// <summary>Random id of this engine; a restarted process has another.</summary>
    public ulong Id { get; }

    /// <summary>The devices, in the order of the builder's calls.</summary>
    public IReadOnlyList<EngineDevice> Devices { get; }

    /// <summary>What peers connect to: the address of device 0.</summary>
    public NetAddress Address => _workers[0].Address;

    /// <summary>Why the engine refuses work, or null.</summary>
    public EngineFaultedException? Failure => Volatile.Read(ref _fault);

    /// <summary>The peers that are connected now.</summary>
    public IReadOnlyCollection<Peer> Peers => [.. _peers.Keys];

    internal TransferEngineOptions Options { get; }

    internal RegionTable Regions { get; }

    internal TransferSources Sources { get; }

    internal CounterTable Counters { get; }

    internal MessageChannels Channels { get; }

    /// <summary>Begins to build an engine.</summary>
    public static TransferEngineBuilder CreateBuilder() => new();

    /// <summary>What the engine has done and holds.</summary>
    public EngineStatistics GetStatistics() => new(
        _workers.Sum(static worker => worker.CompletedTransfers),
        _workers.Sum(static worker => worker.FailedTransfers),
        Sources.Outstanding,
        _workers.Sum(static worker => worker.ActiveTransfers),
        Volatile.Read(ref _leakedWrites),
        Counters.Stale,
        Counters.Quarantined,
        Volatile.Read(ref _droppedMessages),
        Regions.Count);

    /// <summary>Registers native memory with all NICs of a device. The buffer is not collected while it is registered, also when nobody else refers to it.</summary>
    /// <exception cref="FabricException">A NIC could not register it.</exception>
    public unsafe MemoryRegion Register(NativeBuffer buffer, int device = 0)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        return Register((nint)buffer.Pointer, buffer.Length, MemoryKind.Host, device, buffer);
    }

    /// <summary>Registers memory that the caller keeps alive and in place until the region is unregistered.</summary>
    /// <param name="address">The first byte.</param>
    /// <param name="length">Length in bytes.</param>
    /// <param name="kind">Where the memory lives.</param>
    /// <param name="device">The device whose NICs use it.</param>
    /// <param name="owner">What frees the memory when it is collected: it is kept alive until the region is unregistered.</param>
    /// <exception cref="ArgumentOutOfRangeException">The address is 0 or the length is not positive.</exception>
    /// <exception cref="FabricException">A NIC could not register it.</exception>
    public MemoryRegion Register(nint address, long length, MemoryKind kind = MemoryKind.Host, int device = 0, object? owner = null)
    {
        ThrowIfUnusable();
        ArgumentOutOfRangeException.ThrowIfZero(address);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        var region = new MemoryRegion(this, WorkerOf(device), address, length, kind, owner);
        _memoryRegions[region] = true;
        return region;
    }

    /// <summary>Connects a device of this engine with a device of another one.</summary>
    /// <exception cref="PeerFailedException">The peer did not answer in time, or refused; the message says why.</exception>
    /// <exception cref="FabricException">The address belongs to another fabric.</exception>
    public async ValueTask<Peer> ConnectAsync(NetAddress address, TimeSpan? deadline = null, int device = 0, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(address);
        ThrowIfUnusable();
        TimeSpan allowed = deadline ?? Options.ConnectDeadline;
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(allowed, TimeSpan.Zero, nameof(deadline));
        // The worker keeps the deadline; the wait here is longer, for the case that nobody drives the engine.
        Task<Peer> connecting = WorkerOf(device).ConnectAsync(address, allowed);
        try
        {
            return await connecting.WaitAsync(allowed + Options.DrainDeadline, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is OperationCanceledException or TimeoutException)
        {
            // Nobody will own the connection: it is closed when it comes about.
            _ = connecting.ContinueWith(
                static late => late.GetAwaiter().GetResult().CloseAsync().AsTask(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
            throw;
        }
    }

    /// <summary>A group of peers for barriers.</summary>
    public PeerGroup CreatePeerGroup(params ReadOnlySpan<Peer> peers) => new(peers);

    /// <summary>A counter that senders name by its <see cref="ImmCounter.Immediate"/>; it counts units.</summary>
    /// <exception cref="InvalidOperationException">All counters are in use.</exception>
    public ImmCounter AllocateCounter()
    {
        ThrowIfUnusable();
        return Counters.AllocateSlot(this);
    }

    /// <summary>The counter of a number that user code on both sides has agreed on; it counts immediates, early ones included.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="number"/> is 0 or above 2³¹−1.</exception>
    public ImmCounter GetCounter(uint number)
    {
        ThrowIfUnusable();
        return Counters.GetNumber(this, Immediate.FromNumber(number).Value);
    }

    /// <summary>A value whose raises the worker of <paramref name="device"/> reacts to.</summary>
    public ProgressWatcher AllocateProgressWatcher(ProgressHandler handler, int device = 0)
    {
        ArgumentNullException.ThrowIfNull(handler);
        ThrowIfUnusable();
        return WorkerOf(device).Watchers.Add(handler);
    }

    /// <summary>Calls <paramref name="handler"/> on a pool thread when a peer has become ready, whoever began. Dispose to stop.</summary>
    public IDisposable OnPeerConnected(Action<Peer> handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        _readyHandlers[handler] = true;
        return new MessageChannels.Registration(() => _readyHandlers.TryRemove(handler, out _));
    }

    /// <summary>Calls <paramref name="handler"/> on a pool thread when a peer has failed or was closed. Dispose to stop.</summary>
    public IDisposable OnPeerFailed(Action<Peer, PeerFailedException> handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        _endedHandlers[handler] = true;
        return new MessageChannels.Registration(() => _endedHandlers.TryRemove(handler, out _));
    }

    /// <summary>Caller-driven mode: one turn of every worker on this thread. True when there was something to do.</summary>
    /// <exception cref="InvalidOperationException">The engine has worker threads, or another thread is polling.</exception>
    /// <exception cref="EngineFaultedException">The engine has faulted.</exception>
    public bool Poll()
    {
        if (!Options.CallerDriven)
            throw new InvalidOperationException("This engine has worker threads; set TransferEngineOptions.CallerDriven to drive it by Poll.");
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        bool worked = false;
        foreach (Worker worker in _workers)
            worked |= worker.RunOnce();
        return worked;
    }

    private void TryPoll()
    {
        foreach (Worker worker in _workers)
        {
            if (!worker.IsRunning)
                worker.RunOnce();
        }
    }

    /// <summary>Says goodbye to all peers, ends what is running, stops the workers and frees everything. Idempotent.</summary>
    public ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
            Volatile.Write(ref _disposal, Task.Run(Shutdown));
        // A second caller that comes before the first has published its task spins for a moment only.
        SpinWait.SpinUntil(() => Volatile.Read(ref _disposal) is not null);
        return new ValueTask(_disposal!);
    }

    internal void Forget(MemoryRegion region) => _memoryRegions.TryRemove(region, out _);

    internal void OnPeerReady(Peer peer)
    {
        _peers[peer] = true;
        peer.WasReady = true;
        foreach (Action<Peer> handler in _readyHandlers.Keys)
            RunOnPool(() => handler(peer));
    }

    internal void OnPeerEnded(Peer peer, PeerFailedException failure)
    {
        // Told once, however often its end is come across.
        if (!_peers.TryRemove(peer, out _) && peer.WasReady)
            return;
        foreach (ImmCounter counter in Counters.Owners())
            counter.OnPeerFailed(peer, failure);
        foreach (Action<Peer, PeerFailedException> handler in _endedHandlers.Keys)
            RunOnPool(() => handler(peer, failure));
    }

    internal void SetFault(EngineFaultedException fault)
    {
        Volatile.Write(ref _fault, fault);
        foreach (ImmCounter counter in Counters.Owners())
            counter.PoisonWith(fault);
    }

    internal void PoisonCounter(Peer sender, Immediate immediate, Exception cause)
    {
        ImmCounter? counter = immediate.IsCounter ? Counters.Find(immediate) : Counters.FindNumberOwner(immediate.Value);
        counter?.PoisonBy(sender, cause);
    }

    internal void RunInline(Action<long> callback, long count)
    {
        try
        {
            callback(count);
        }
        catch (Exception exception)
        {
            GardenLog.CallbackFailed(_logger, "counter callback", exception);
        }
    }

    internal void CountLeak(int writes) => Interlocked.Add(ref _leakedWrites, writes);

    internal void CountDroppedMessage() => Interlocked.Increment(ref _droppedMessages);

    private void RunOnPool(Action action) => ThreadPool.QueueUserWorkItem(
        _ =>
        {
            try
            {
                action();
            }
            catch (Exception exception)
            {
                GardenLog.CallbackFailed(_logger, "peer handler", exception);
            }
        });

    private Worker WorkerOf(int device)
    {
        if ((uint)device >= (uint)_workers.Length)
            throw new ArgumentOutOfRangeException(nameof(device), device, $"The engine has {_workers.Length} devices.");
        return _workers[device];
    }

    private void ThrowIfUnusable()
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        if (Volatile.Read(ref _fault) is { } fault)
            throw new EngineFaultedException(fault.Message, fault);
    }

    private void Shutdown()
    {
        _metrics.Dispose();
        var quiet = new List<Worker>();
        foreach (Worker worker in _workers)
        {
            worker.SayGoodbyeToAll();
            // Caller-driven engines have no thread that could run the goodbyes, and a faulted one runs no turns.
            if (worker.Stop() && worker.RunLastTurns())
                quiet.Add(worker);
            else
            {
                GardenLog.WorkerLeaked(_logger, worker.Device);
                if (worker.SealLater() && worker.RunLastTurns())
                    quiet.Add(worker);
            }
        }

        foreach (MemoryRegion region in _memoryRegions.Keys)
        {
            try
            {
                region.RevokeAtShutdown();
            }
            catch (Exception exception)
            {
                GardenLog.CallbackFailed(_logger, "unregistration at shutdown", exception);
            }
        }

        // A worker that still runs keeps its memory: leaked and said, rather than freed under it.
        foreach (Worker worker in quiet)
            worker.Dispose();
        var disposed = new ObjectDisposedException(nameof(TransferEngine));
        foreach (ImmCounter counter in Counters.Owners())
            counter.PoisonWith(disposed);
    }
}
