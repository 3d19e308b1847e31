using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Garden.Fabric;
using Microsoft.Extensions.Logging;

namespace Garden;

/// <summary>
/// Runs one device: takes requests from the ring, expands them, stages descriptors for NICs, polls completions. One thread at
/// a time runs it: its own, or the caller of <see cref="TransferEngine.Poll"/>.
/// </summary>
/// <remarks>
/// A request's way: ring slot → record → descriptors → staged writes → domain. Whatever cannot be posted now stays a cursor in
/// the peer's queue; peers take turns, a batch each. All state here is the running thread's, except the ring, the command
/// queue and the parker.
/// </remarks>
internal sealed unsafe partial class Worker : IDisposable
{
    /// <summary>Descriptors of one turn: expanded, dealt to a lane and posted together.</summary>
    public const int BatchSize = 64;

    private const int SubmissionsPerTurn = 64;
    private const int PollBatch = 128;
    private const int LooksPerSpin = 16;

    private readonly TransferEngine _engine;
    private readonly TransferEngineOptions _options;
    private readonly ILogger _logger;
    private readonly SubmissionRing _ring;
    private readonly TransferRecords _records;
    private readonly WorkerParker _parker = new();
    private readonly ConcurrentQueue<Command> _commands = new();
    private readonly Nic[] _nics;
    private readonly PeerEntry* _peerEntries;
    private readonly WriteDescriptor* _batch;
    private readonly WriteDescriptor* _rewind;
    private readonly FabricCompletion* _completions;
    private readonly Queue<int> _peersWithWork = new();
    private readonly Thread? _thread;
    private readonly ManualResetEventSlim _started = new();
    private Exception? _fault;
    private volatile bool _stopRequested;
    private bool _ended;
    private volatile bool _sealOnExit;
    private Exception? _startFailure;
    private int _running;
    private int _runningThread;
    private int _queuedCommands;
    private long _now;

    public Worker(TransferEngine engine, int device, IFabric fabric, TransferEngineOptions options, ILogger logger)
    {
        _engine = engine;
        _options = options;
        _logger = logger;
        Device = device;
        Fabric = fabric;
        IReadOnlyList<IFabricDomain> domains = fabric.Open(new FabricOpenContext(engine.Id, device, _parker));
        if (domains.Count is 0 or > NetAddress.MaxNics)
            throw new FabricException($"Fabric {fabric.Name} opened {domains.Count} NICs for device {device}; a device has 1 to {NetAddress.MaxNics}.");
        foreach (IFabricDomain domain in domains)
        {
            if (domain.Capabilities.MaxWriteLength < TransferUnits.BytesPerUnit)
                throw new FabricException($"NIC {domain.Address} writes at most {domain.Capabilities.MaxWriteLength} bytes; the engine needs {TransferUnits.BytesPerUnit} or more.");
        }

        _nics = [.. domains.Select(static (domain, index) => new Nic(domain, index))];
        foreach (IFabricDomain domain in domains)
        {
            if (domain.WaitDescriptor >= 0)
                _parker.Watch(domain.WaitDescriptor);
        }

        Address = new NetAddress(fabric.Name, [.. domains.Select(static domain => domain.Address)]);
        _maxMessageLength = domains.Min(static domain => domain.Capabilities.MaxMessageLength);
        _maxWriteLength = domains.Min(static domain => domain.Capabilities.MaxWriteLength);
        _ring = new SubmissionRing(options.RingSlots);
        Port = new SubmissionPort(_ring, _parker);
        _records = new TransferRecords(options.MaxTransfers);
        _peerEntries = (PeerEntry*)NativeMemory.AllocZeroed((nuint)options.MaxPeers, (nuint)sizeof(PeerEntry));
        _peers = new Peer?[options.MaxPeers];
        _batch = (WriteDescriptor*)NativeMemory.AlignedAlloc(BatchSize * (nuint)sizeof(WriteDescriptor), 64);
        _rewind = (WriteDescriptor*)NativeMemory.AlignedAlloc(BatchSize * (nuint)sizeof(WriteDescriptor), 64);
        _completions = (FabricCompletion*)NativeMemory.AlignedAlloc(PollBatch * (nuint)sizeof(FabricCompletion), 64);
        Watchers = new WatcherSet(options.MaxWatchers, _parker);
        _now = _lastTick = Stopwatch.GetTimestamp();
        if (!options.CallerDriven)
        {
            _thread = new Thread(Loop) { IsBackground = true, Name = $"Garden worker {device}" };
            if (options.WorkerCpus.TryGetValue(device, out int cpu))
                _cpu = cpu;
        }
    }

    public int Device { get; }

    public IFabric Fabric { get; }

    public NetAddress Address { get; }

    public IReadOnlyList<Nic> Nics => _nics;

    public WatcherSet Watchers { get; }

    /// <summary>Transfers that ended well.</summary>
    public long CompletedTransfers => Volatile.Read(ref _completedTransfers);

    /// <summary>Transfers that ended badly.</summary>
    public long FailedTransfers => Volatile.Read(ref _failedTransfers);

    /// <summary>Transfers the worker has begun and not ended.</summary>
    public int ActiveTransfers => _records.Active;

    /// <summary>True while some thread is in a turn.</summary>
    public bool IsRunning => Volatile.Read(ref _running) != 0;

    /// <summary>True on the thread that runs the worker now: waiting there would wait for itself.</summary>
    public bool IsCurrentThread => Volatile.Read(ref _runningThread) == Environment.CurrentManagedThreadId;

    /// <summary>Runs <paramref name="command"/> on the worker, soon. False, and nothing is run, when the worker has ended.</summary>
    /// <param name="command">What to do.</param>
    /// <param name="reject">What to do instead when the worker faults or ends first.</param>
    public bool Enqueue(Action command, Action<Exception>? reject = null)
    {
        if (Volatile.Read(ref _ended))
            return false;
        Interlocked.Increment(ref _queuedCommands);
        _commands.Enqueue(new Command(command, reject));
        // Seen by the worker's last look, or by this one.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _ended))
        {
            while (TryTakeCommand(out Command? late))
                late.Reject?.Invoke(new ObjectDisposedException(nameof(TransferEngine)));
        }

        _parker.Wake();
        return true;
    }

    /// <summary>One turn. True when there was something to do.</summary>
    public bool RunOnce()
    {
        if (Interlocked.Exchange(ref _running, 1) != 0)
            throw new InvalidOperationException("Another thread is polling this engine; a caller-driven engine is polled by one thread at a time.");
        _runningThread = Environment.CurrentManagedThreadId;
        try
        {
            if (_fault is not null)
            {
                RunFaulted();
                throw NewFault();
            }

            return Turn();
        }
        catch (Exception exception) when (_fault is null)
        {
            Fault(exception);
            throw NewFault();
        }
        finally
        {
            _runningThread = 0;
            Volatile.Write(ref _running, 0);
        }
    }

    private EngineFaultedException NewFault() =>
        new($"The worker of device {Device} has faulted: {_fault!.Message} Dispose the engine and build a new one.", _fault);

    /// <summary>The order matters: control before bulk, completions (which free credits) before waiting transfers.</summary>
    private bool Turn()
    {
        bool worked = RunCommands();
        worked |= TakeSubmissions();
        worked |= FlushMessages();
        worked |= PollCompletions();
        // What handlers submit is posted on this turn.
        if (Watchers.Run(_logger))
        {
            TakeSubmissions();
            worked = true;
        }

        worked |= RunQueues();
        FlushNics();
        // Seldom: reading the clock costs as much as a small write. A park reads it in any case.
        if ((++_turns & (worked ? 7 : 15)) == 0)
            RunTimers();
        return worked;
    }

    private void Loop()
    {
        try
        {
            if (_cpu is { } cpu)
                ThreadAffinity.Pin(cpu);
        }
        catch (Exception exception)
        {
            _startFailure = exception;
        }

        _started.Set();
        _runningThread = Environment.CurrentManagedThreadId;
        int idle = 0;
        WaitStrategy strategy = _options.WaitStrategy;
        while (!_stopRequested)
        {
            try
            {
                if (_fault is not null ? RunFaulted() : Turn())
                {
                    idle = 0;
                    continue;
                }

                if (++idle <= strategy.Spins)
                    SpinOnRing();
                else if (idle - strategy.Spins <= strategy.Yields || !strategy.Parks || Watchers.IsArmed)
                    Thread.Yield();
                else
                    Park();
            }
            catch (Exception exception)
            {
                // No exception ends the thread silently: the engine faults, and says so to everyone who asks.
                Fault(exception);
            }
        }

        if (_sealOnExit)
            Seal();
        _runningThread = 0;
    }

    /// <summary>Between idle turns the worker looks at the ring alone: a turn costs more than a cache-line hop, a look does not.</summary>
    private void SpinOnRing()
    {
        for (int i = 0; i < LooksPerSpin && _ring.Peek() is null; i++)
        {
        }
    }

    private void Park()
    {
        _parker.Prepare();
        RunTimers();
        long ticks = TicksToNextTimer();
        // Looked at after the announcement: who publishes work from here on sees it and wakes the worker.
        bool quiet = _commands.IsEmpty && _ring.Peek() is null && _outgoing.IsEmpty && !Watchers.IsSignalled && !Watchers.IsArmed && !_stopRequested;
        foreach (Nic nic in _nics)
        {
            if (!quiet)
                break;
            quiet = nic.Domain.TryArm(out long due);
            if (due != long.MaxValue)
                ticks = Math.Min(ticks, due - Timestamp());
            // What a NIC or a peer refused is offered again soon: nothing wakes the worker for it.
            if (nic.HasStaged || _outboxes.Count != 0)
                ticks = Math.Min(ticks, TickInterval);
        }

        if (!quiet)
            _parker.Cancel();
        else if (_parker.TryPark(ticks))
        {
            ReadClock();
            return;
        }

        Thread.Yield();
    }

    /// <summary>The commands that are there now: one that puts itself back is run in the next turn.</summary>
    private bool RunCommands()
    {
        // The number lies beside what each turn uses anyway; to ask the queue costs the first turn after a system call several cache lines.
        int left = Volatile.Read(ref _queuedCommands);
        if (left == 0)
            return false;
        for (; left > 0 && TryTakeCommand(out Command? command); left--)
            command.Run();
        return true;
    }

    private bool TryTakeCommand([NotNullWhen(true)] out Command? command)
    {
        if (!_commands.TryDequeue(out command))
            return false;
        Interlocked.Decrement(ref _queuedCommands);
        return true;
    }

    private void FlushNics()
    {
        foreach (Nic nic in _nics)
            nic.Flush();
    }

    /// <summary>Something to do on the worker, and what to do instead when the worker has ended.</summary>
    private sealed record Command(Action Run, Action<Exception>? Reject);
}
