using Garden.Experts;

namespace Garden.Kernels.Experts;

/// <summary>
/// The network of one rank: carries what its kernels stage to ranks of other nodes, and their arrivals to its kernels. The engine's
/// worker reacts to the value a kernel raises when it has ended: one write for each destination rank, with one immediate, which the
/// receiver counts. The device is not held while rows travel.
/// </summary>
/// <remarks>
/// Immediates are numbers, [what][source rank]: rows arrived, none come, results arrived, none come (<see cref="ExpertPeerRounds"/> has the
/// protocol). A receiver learns of nothing else, so the order of writes does not matter.
/// </remarks>
/// <typeparam name="TRouting">A struct with <see cref="ExpertRoutingAttribute"/>.</typeparam>
public sealed partial class ExpertExchange<TRouting> : IAsyncDisposable
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    private readonly ExpertRank<TRouting> _rank;
    private readonly TransferEngine _engine;
    private readonly ExpertExchangeOptions _options;
    private readonly List<BufferRegistration> _registrations = [];
    private readonly List<ProgressWatcher> _watchers = [];
    private readonly List<MappedBuffer> _mappedValues = [];
    private const uint Rows = 0;
    private const uint NoRows = 1;
    private const uint Results = 2;
    private const uint NoResults = 3;

    private readonly ImmCounter?[] _counters;
    private readonly long[] _counted;
    private readonly ExpertPeerLink?[] _links;
    private readonly ScatterTarget[] _targets;
    private readonly int[] _targetRanks;

    // Worked out once: the worker posts to all ranks in a few microseconds.
    private readonly long _lineBytes;
    private readonly long _areaBytes;
    private readonly MemoryRegion _window;
    private readonly MemoryRegion _combine;
    private readonly MemoryRegion _rowStaging;
    private readonly IDisposable _failures;
    private readonly ProgressWatcher _debts;
    private ulong _debtsRaised;
    private readonly object _arrival = new();
    private bool _disposed;

    /// <summary>Registers the rank's memory with the engine. The group has ranks on other nodes.</summary>
    /// <exception cref="PlanException">All ranks are on one node: nothing is staged. Or a round's rows for one rank are more than the fabric writes at once; the message has both.</exception>
    /// <exception cref="FabricException">The fabric cannot reach the device's memory; the message says which it can.</exception>
    public ExpertExchange(ExpertRank<TRouting> rank, TransferEngine engine, ExpertExchangeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(rank);
        ArgumentNullException.ThrowIfNull(engine);
        _options = options ?? new ExpertExchangeOptions();
        _options.Validate(rank.Group.Ranks);
        if (rank.Memory.DispatchStaging is not { } rows)
            throw new PlanException($"The group ({rank.Group}) is one node: its ranks are connected with ExpertRank.Connect and need no network.");
        (_rank, _engine) = (rank, engine);
        RequireOneWrite();
        _counters = new ImmCounter?[4 * rank.Group.Ranks];
        _counted = new long[_counters.Length];
        _links = new ExpertPeerLink?[rank.Group.Ranks];
        ReadCounters();
        _targets = new ScatterTarget[rank.Group.Ranks];
        _targetRanks = new int[rank.Group.Ranks];
        _lineBytes = ExpertBuffers.LineBytes<TRouting>(rank.Group.Ranks);
        _areaBytes = ExpertBuffers.CombineBytes<TRouting>(rank.Group.Ranks, rank.Group.Tokens) / ExpertBuffers.Parities;
        _window = Register(rank.Window);
        _combine = Register(rank.CombineRegion);
        _rowStaging = Register(rows);
        rank.SetProgress(Watch(PostRows), Watch(PostResults));
        _debts = engine.AllocateProgressWatcher(OnDebts, _options.EngineDevice);
        if (rank.Device is CpuDevice)
            rank.Launched = WakeWorker;
        _failures = engine.OnPeerFailed(OnPeerFailed);
    }

    /// <summary>What the other nodes' ranks connect to.</summary>
    public ExpertAddress Address => new(_rank.Rank, TRouting.RoutingHash, _rank.Group, _engine.Devices[_options.EngineDevice].Address, _window.Export(), _combine.Export());

    /// <summary>
    /// Connects the ranks of other nodes; every rank does so before its first round. A rank that comes back, in a new process and after
    /// <see cref="ExpertRank{TRouting}.Join"/>, connects to all, and all connect to it, from the round on that begins next and before any begins it.
    /// </summary>
    /// <exception cref="PlanException">A rank does not exist, has another routing or group (the message has both values), or is connected already and has not ended.</exception>
    /// <exception cref="PeerFailedException">A rank did not answer in time.</exception>
    public async ValueTask ConnectAsync(IEnumerable<ExpertAddress> ranks, TimeSpan? deadline = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(ranks);
        foreach (ExpertAddress address in ranks)
        {
            if ((uint)address.Rank >= (uint)_rank.Group.Ranks)
                throw new PlanException($"Rank {address.Rank} is outside [0, {_rank.Group.Ranks}).");
            if (_rank.Group.FirstOfNode(address.Rank) == _rank.Group.FirstOfNode(_rank.Rank))
                continue;
            if (address.RoutingHash != TRouting.RoutingHash || address.Group != _rank.Group)
                throw new PlanException($"Rank {address.Rank} has routing {address.RoutingHash:x16} and group ({address.Group}), rank {_rank.Rank} has {TRouting.RoutingHash:x16} and ({_rank.Group}); all ranks need the same.");
            if (_links[address.Rank] is { Peer.State: PeerState.Ready } old)
                throw new PlanException($"Rank {address.Rank} is connected as {old.Peer} already; connect its next life when this one has ended.");
            Peer peer = await _engine.ConnectAsync(address.Engine, deadline, _options.EngineDevice, cancellationToken).ConfigureAwait(false);
            Link(address.Rank, new ExpertPeerLink(peer, peer.Import(address.Window), peer.Import(address.Combine), new ExpertPeerRounds(_rank.Epoch - 1))
            {
                SlotOffset = ExpertBuffers.SlotOffset<TRouting>(_rank.Group, 0, address.Rank, _rank.Rank),
                ResultsOffset = ExpertBuffers.ResultsOffset<TRouting>(_rank.Group, _rank.Rank, address.Rank),
            });
        }
    }

    /// <summary>
    /// Waits on the calling thread until the rows of the round are here from all ranks of other nodes, so that the receiving kernel need not.
    /// </summary>
    /// <param name="epoch">The round.</param>
    /// <param name="deadline">How long to wait.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ExpertTimeoutException">Some did not come in time, have failed, or said that none come; the message names them and their experts.</exception>
    public void WaitForRows(uint epoch, TimeSpan deadline, CancellationToken cancellationToken = default) => Wait(ExpertPhase.DispatchReceive, epoch, deadline, cancellationToken);

    /// <summary>The same for the results of the round.</summary>
    /// <inheritdoc cref="WaitForRows"/>
    public void WaitForResults(uint epoch, TimeSpan deadline, CancellationToken cancellationToken = default) => Wait(ExpertPhase.CombineReceive, epoch, deadline, cancellationToken);

    /// <summary>Ends the exchange: running writes are waited for, then the memory is unregistered. Dispose it before the rank and the engine.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        _failures.Dispose();
        _rank.SetProgress(0, 0);
        _rank.Launched = null;
        foreach (ProgressWatcher watcher in _watchers)
            watcher.Dispose();
        _debts.Dispose();
        foreach (MappedBuffer value in _mappedValues)
            value.Dispose();
        // Only now: kernels have stored to the values until here.
        foreach (ProgressWatcher watcher in _watchers)
            watcher.ArmForDevice(false);
        foreach (ImmCounter? counter in _counters)
            counter?.OnCount(null);
        foreach (ExpertPeerLink? link in _links)
            link?.Dispose();
        foreach (BufferRegistration registration in _registrations)
            await registration.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>True when all that was told to ranks that are there is answered.</summary>
    internal bool IsAnswered
    {
        get
        {
            lock (_arrival)
            {
                for (int rank = 0; rank < _links.Length; rank++)
                {
                    if (_links[rank] is { } link && MayPost(rank) && (link.Rounds.Unanswered != 0 || link.Rounds.Told != (uint)RowsStaged.Value))
                        return false;
                }

                return true;
            }
        }
    }

    /// <summary>What the sending kernel raises.</summary>
    internal ProgressWatcher RowsStaged => _watchers[0];

    /// <summary>[rank] <see cref="ExpertPost"/>, where kernels say what is staged.</summary>
    internal unsafe nint Posts => (nint)(_rank.Memory.Mapped.Pointer + ExpertRankMemory.PostsOffset(_rank.Group.Ranks));

    /// <summary>What is counted by number is one write, which an engine does not cut.</summary>
    private void RequireOneWrite()
    {
        long rows = ExpertBuffers.LineBytes<TRouting>(_rank.Group.Ranks) + ((long)_rank.Group.Tokens * TRouting.RowBytes);
        long results = (long)_rank.Group.Tokens * TRouting.CombineRowBytes * (TRouting.ExactCombine ? TRouting.TopK : 1);
        long most = _engine.Devices[_options.EngineDevice].Nics.Min(static nic => nic.MaxWriteLength);
        if (Math.Max(rows, results) > most)
            throw new PlanException($"A round of {_rank.Group.Tokens} tokens is one write of {rows} bytes to a rank and one of {results} back; {_engine.Devices[_options.EngineDevice].Address.Fabric} writes at most {most} bytes at once. Raise the fabric's MaxWriteLength where it can be, or take fewer tokens a round.");
    }

    private MemoryRegion Register(DeviceBuffer buffer)
    {
        BufferRegistration registration = buffer.RegisterWith(_engine, _options.EngineDevice);
        _registrations.Add(registration);
        return registration.Region;
    }

    /// <summary>A value that the device raises; its address for kernels.</summary>
    private nint Watch(Func<uint, bool> post)
    {
        ProgressWatcher watcher = _engine.AllocateProgressWatcher((handled, reached) => Guarded(post, (uint)reached) ? reached : handled, _options.EngineDevice);
        _watchers.Add(watcher);
        MappedBuffer value = _rank.Device.MapHost(watcher.Address, sizeof(ulong));
        _mappedValues.Add(value);
        // A launch on the CPU accelerator has ended when it returns, so a signal can wake the worker instead.
        if (_rank.Device is not CpuDevice)
            watcher.ArmForDevice();
        return value.DeviceAddress;
    }

    private void WakeWorker()
    {
        foreach (ProgressWatcher watcher in _watchers)
            watcher.Signal(0);
    }

    /// <summary>An engine counts from its first immediate: what an exchange before this one counted is not this one's. Nobody knows this one's address yet.</summary>
    private void ReadCounters()
    {
        int node = _rank.Rank / _rank.Group.RanksPerNode;
        for (int index = 0; index < _counters.Length; index++)
        {
            if (index % _rank.Group.Ranks / _rank.Group.RanksPerNode == node)
                continue;
            ImmCounter counter = _counters[index] = _engine.GetCounter(_options.FirstNumber + (uint)index);
            _counted[index] = counter.Value;
        }
    }

    private void Link(int rank, ExpertPeerLink link)
    {
        bool isNewLife;
        lock (_arrival)
        {
            isNewLife = _links[rank] is not null;
            uint round = link.Rounds.Told;
            for (uint word = 0; word < 4; word++)
                Store(Word(rank, word * sizeof(uint)), round);
            // What the rank's earlier life told has nothing to do with this one's; at the first one nobody knew this exchange's address before it counted.
            for (uint what = 0; what < 4 && _links[rank] is not null; what++)
                _counted[Index(what, rank)] = _counters[Index(what, rank)]!.Value;
            _links[rank]?.Dispose();
            _links[rank] = link;
        }

        for (uint what = 0; what < 4; what++)
        {
            uint kind = what;
            _counters[Index(what, rank)]!.OnCount(count => Arrived(kind, rank, count));
        }

        _rank.ConnectStaged(rank, isNewLife);
    }

    private int Index(uint what, int rank) => (int)(what * (uint)_rank.Group.Ranks) + rank;

    private bool Guarded(Func<uint, bool> post, uint epoch)
    {
        lock (_arrival)
            return post(epoch);
    }

    private ulong OnDebts(ulong handled, ulong raised)
    {
        lock (_arrival)
            return PostDebts() ? raised : handled;
    }

    /// <summary>An immediate has come. The first call is on the connecting thread; the worker's may have been before it.</summary>
    private void Arrived(uint what, int rank, long count)
    {
        lock (_arrival)
        {
            long come = count - _counted[Index(what, rank)];
            if (come <= 0)
                return;
            _counted[Index(what, rank)] = count;
            ExpertPeerRounds rounds = _links[rank]!.Rounds;
            if (what == NoRows)
            {
                rounds.HearNoRows((uint)come);
            }
            else if (what == Rows)
            {
                // Rows of a round mean that the results of those before are taken.
                if (rounds.HearRows((uint)come))
                {
                    Store(Word(rank, ExpertWait.CombineConsumed), rounds.Heard - 1);
                    Store(Word(rank, ExpertWait.DispatchArrived), rounds.Heard);
                }
            }
            else
            {
                if (rounds.Answer((uint)come, what == Results) is var round and not 0)
                    Store(Word(rank, ExpertWait.CombineArrived), round);
                if (rounds.Unanswered == 0)
                    Store(Word(rank, ExpertWait.DispatchConsumed), rounds.Told);
            }

            if (rounds.IsInDebt)
                _debts.Signal(++_debtsRaised);
            Monitor.PulseAll(_arrival);
        }
    }

    private void OnPeerFailed(Peer peer, PeerFailedException failure)
    {
        lock (_arrival)
            Monitor.PulseAll(_arrival);
    }

    private void Wait(ExpertPhase phase, uint epoch, TimeSpan deadline, CancellationToken cancellationToken)
    {
        long until = Environment.TickCount64 + (long)Math.Ceiling(deadline.TotalMilliseconds);
        using CancellationTokenRegistration wake = cancellationToken.UnsafeRegister(static state => Pulse(state!), _arrival);
        lock (_arrival)
        {
            while (true)
            {
                cancellationToken.ThrowIfCancellationRequested();
                bool waiting = false, failed = false;
                for (int rank = 0; rank < _links.Length; rank++)
                {
                    if (!IsMissing(rank, phase, epoch))
                        continue;
                    bool gone = _links[rank]!.Peer.Failure is not null || HasNone(rank, phase, epoch);
                    failed |= gone;
                    waiting |= !gone;
                }

                long left = until - Environment.TickCount64;
                if (waiting && left > 0)
                {
                    Monitor.Wait(_arrival, (int)Math.Min(left, int.MaxValue));
                    continue;
                }

                if (waiting || failed)
                    throw new ExpertTimeoutException([.. Enumerable.Range(0, _links.Length).Where(rank => IsMissing(rank, phase, epoch)).Select(rank => _rank.Missing(rank, phase, epoch))]);
                return;
            }
        }

        static void Pulse(object arrival)
        {
            lock (arrival)
                Monitor.PulseAll(arrival);
        }
    }

    private bool IsMissing(int rank, ExpertPhase phase, uint epoch)
    {
        if (_links[rank] is null || _rank.IsMasked(rank))
            return false;
        return (int)(Load(Word(rank, phase == ExpertPhase.DispatchReceive ? ExpertWait.DispatchArrived : ExpertWait.CombineArrived)) - epoch) < 0;
    }

    /// <summary>True when the rank has told about the round, and what is missing does not come.</summary>
    private bool HasNone(int rank, ExpertPhase phase, uint epoch) => phase == ExpertPhase.DispatchReceive
        ? (int)(_links[rank]!.Rounds.Heard - epoch) >= 0
        : _links[rank]!.Rounds.HasNoResults(epoch);

    /// <summary>A peer's counter in mapped memory: what it tells about a rank of another node.</summary>
    private unsafe nint Word(int rank, uint counter) =>
        // Safe: the mapped memory has four counters for every rank.
        (nint)(_rank.Memory.Mapped.Pointer + ExpertRankMemory.RemoteCountersOffset(_rank.Group.Ranks) + ((long)rank * ExpertPeerCounters.SizeInBytes) + counter);

    private static unsafe uint Load(nint word) => Volatile.Read(ref *(uint*)word);

    private static unsafe void Store(nint word, uint count) => Volatile.Write(ref *(uint*)word, count);
}
