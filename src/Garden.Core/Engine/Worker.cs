using System.Collections.Concurrent;
using System.Diagnostics;
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
    private const int LooksPerSpin = 64;

    private readonly TransferEngine _engine;
    private readonly TransferEngineOptions _options;
    private readonly ILogger _logger;
    private readonly SubmissionRing _ring;
    private readonly TransferRecords _records;
    private readonly WorkerParker _parker = new();
    private readonly ConcurrentQueue<Action> _commands = new();
    private readonly Nic[] _nics;
    private readonly PeerEntry* _peerEntries;
    private readonly WriteDescriptor* _batch;
    private readonly WriteDescriptor* _rewind;
    private readonly FabricCompletion* _completions;
    private readonly Queue<int> _peersWithWork = new();
    private readonly Thread? _thread;
    private Exception? _fault;
    private bool _stopRequested;
    private int _running;
    private int _runningThread;
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
        Address = new NetAddress(fabric.Name, [.. domains.Select(static domain => domain.Address)]);
        _maxMessageLength = domains.Min(static domain => domain.Capabilities.MaxMessageLength);
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

    /// <summary>True on the thread that runs the worker now: waiting there would wait for itself.</summary>
    public bool IsCurrentThread => Volatile.Read(ref _runningThread) == Environment.CurrentManagedThreadId;

    public void Start() => _thread?.Start();

    /// <summary>Runs <paramref name="command"/> on the worker, soon.</summary>
    public void Enqueue(Action command)
    {
        _commands.Enqueue(command);
        _parker.Wake();
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
                throw NewFault();
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

    public void Stop()
    {
        Enqueue(() => _stopRequested = true);
        if (_thread is null)
            return;
        // The loop ends at the latest when a turn and a park are over; a worker that does not is leaked, not waited for.
        if ((_thread.ThreadState & System.Threading.ThreadState.Unstarted) == 0 && !IsCurrentThread)
            _thread.Join(TimeSpan.FromSeconds(10));
    }

    /// <summary>After the loop has ended (or where there is none): lets goodbyes go out and what is posted drain, for a moment.</summary>
    public void RunLastTurns()
    {
        long end = Stopwatch.GetTimestamp() + (Stopwatch.Frequency / 5);
        while (Interlocked.Exchange(ref _running, 1) != 0)
        {
            // The caller is in Poll; it sees the engine disposed when it comes back.
            if (Stopwatch.GetTimestamp() > end)
                return;
            Thread.Yield();
        }

        _runningThread = Environment.CurrentManagedThreadId;
        do
        {
            try
            {
                if (_fault is not null)
                    break;
                Turn();
            }
            catch (Exception exception)
            {
                Fault(exception);
            }
        }
        while ((_records.Active != 0 || _outboxes.Count != 0) && Stopwatch.GetTimestamp() < end);
    }

    /// <summary>Frees everything; the loop has ended.</summary>
    public void Dispose()
    {
        foreach (Nic nic in _nics)
            nic.Dispose();
        EndAll(new ObjectDisposedException(nameof(TransferEngine)));
        _ring.Dispose();
        _records.Dispose();
        Watchers.Dispose();
        _parker.Dispose();
        NativeMemory.Free(_peerEntries);
        NativeMemory.AlignedFree(_batch);
        NativeMemory.AlignedFree(_rewind);
        NativeMemory.AlignedFree(_completions);
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
        worked |= Watchers.Run(_logger);
        worked |= RunQueues();
        FlushNics();
        if (worked || (++_idleTurns & 15) == 0)
            RunTimers();
        return worked;
    }

    private void Loop()
    {
        if (_cpu is { } cpu)
            ThreadAffinity.Pin(cpu);
        _runningThread = Environment.CurrentManagedThreadId;
        int idle = 0;
        WaitStrategy strategy = _options.WaitStrategy;
        while (!_stopRequested)
        {
            try
            {
                if (_fault is not null ? RunCommands() : Turn())
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

        _runningThread = 0;
    }

    /// <summary>Between idle turns the worker looks at the ring alone: a turn costs more than a cache-line hop, a look does not.</summary>
    private void SpinOnRing()
    {
        for (int i = 0; i < LooksPerSpin && _ring.IsEmpty(); i++)
        {
        }
    }

    private void Park()
    {
        _parker.Prepare();
        RunTimers();
        long due = NextTimer();
        bool quiet = _commands.IsEmpty && _ring.Peek() is null && !Watchers.IsSignalled && !Watchers.IsArmed && !_stopRequested;
        foreach (Nic nic in _nics)
        {
            if (!quiet)
                break;
            quiet = !nic.Alive || nic.Domain.TryArm(out long nicDue) && Earlier(nicDue, ref due);
        }

        long milliseconds = (due - Stopwatch.GetTimestamp()) * 1000 / Stopwatch.Frequency;
        if (!quiet || milliseconds < 1)
        {
            _parker.Cancel();
            Thread.Yield();
            return;
        }

        _parker.Park((int)Math.Min(milliseconds, 1000));
    }

    private static bool Earlier(long candidate, ref long due)
    {
        due = Math.Min(due, candidate);
        return true;
    }

    private bool RunCommands()
    {
        bool worked = false;
        while (_commands.TryDequeue(out Action? command))
        {
            command();
            worked = true;
        }

        return worked;
    }

    private void FlushNics()
    {
        foreach (Nic nic in _nics)
            nic.Flush();
    }

    private void Fault(Exception exception)
    {
        if (_fault is not null)
            return;
        GardenLog.WorkerFaulted(_logger, Device, exception);
        Volatile.Write(ref _fault, exception);
        EngineFaultedException fault = NewFault();
        _engine.SetFault(fault);
        EndAll(fault);
    }

    /// <summary>Ends every transfer, waiter and peer: nothing is left that could hang.</summary>
    private void EndAll(Exception cause)
    {
        for (int i = 0; i < _records.Used; i++)
        {
            if ((_records[i]->Flags & TransferFlags.InUse) != 0)
                Abandon(i, cause);
        }

        while (_ring.Peek() is var slot && slot is not null)
        {
            ReleaseUnstarted(slot);
            _engine.Sources[slot->Source].Complete(default, cause);
            _ring.Advance(slot);
        }

        EndPeers(cause);
        RunCommands();
    }
}
