using System.Diagnostics;
using System.Runtime.CompilerServices;
using Garden.Fabric;

namespace Garden.Kernels.Nvlink;

/// <summary>From posted writes to copies on the stream.</summary>
/// <remarks>
/// What is posted is added to the open batch, which goes at once when nothing is under way, unless it is a part of more. While something
/// is under way, and as long as more is posted between two polls, it grows: a launch costs the host as much as a hundred writes do.
/// </remarks>
internal sealed unsafe partial class NvlinkDomain
{
    /// <summary>Batches on the stream at once: one runs, the next ones are ready.</summary>
    public const int MostBatches = 3;

    /// <summary>So many writes go although more may come: the launch is a few nanoseconds a write then.</summary>
    private const int ReadyCount = 1024;

    /// <summary>So many bytes go when the device would soon have nothing to do: it copies them in as long as the host takes for the next ones.</summary>
    private const long SoonBytes = 12L << 20;

    /// <summary>And so many in any case.</summary>
    private const long ReadyBytes = 64L << 20;

    /// <summary>A post of so many writes is a part of more, which come before the next poll or not at all.</summary>
    private const int BurstCount = 64;

    /// <summary>The open one, and those that may be under way: so the next one's list is free when a batch goes.</summary>
    private readonly WriteBatch[] _batches = new WriteBatch[MostBatches + 1];
    private ulong _batch;
    private long _batchPosted;
    private int _accepted;
    private bool _refused;

    /// <summary>True when something was posted since the last poll.</summary>
    private bool _flows;

    /// <summary>True when a part of more was posted since the last poll.</summary>
    private bool _bursts;

    private WriteBatch Open => _batches[_batch % (MostBatches + 1)];

    private int UnderWay => (int)(_batch - Math.Min(_batch, _segment.Done));

    /// <inheritdoc/>
    public int PostWrites(ReadOnlySpan<FabricWrite> writes)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        int count = Math.Min(writes.Length, _options.QueueDepth - _accepted), posted = 0;
        bool isEnded = false, isBurst = writes.Length >= BurstCount;
        while (posted < count && !_failed)
        {
            posted += Add(writes[posted..count], ref isEnded);
            if (!TryPost(mayGrow: posted == count, isBurst) && posted < count)
                break;
        }

        if (_failed)
        {
            foreach (ref readonly FabricWrite write in writes[posted..count])
                Report(write.Route, write.Context, FabricStatus.NicDown);
            posted = count;
        }

        _accepted += posted;
        _refused |= posted < writes.Length;
        // What was refused comes again when something has ended: nothing waits for it to come.
        bool isWhole = posted == writes.Length;
        _flows |= isWhole;
        _bursts |= isWhole && isBurst;
        if (isEnded)
            AdvanceAll();
        WakePeers();
        return posted;
    }

    /// <summary>Posts the open batch, unless it has to wait or is better off growing. False when it stays open.</summary>
    private bool TryPost(bool mayGrow, bool isBurst)
    {
        if (Open.IsEmpty)
        {
            Open.Clear();
            return true;
        }

        int underWay = UnderWay;
        bool isReady = Open.Count >= ReadyCount || Open.Bytes >= (underWay < 2 ? SoonBytes : ReadyBytes);
        if (underWay >= MostBatches || (mayGrow && !isReady && (underWay != 0 || isBurst)))
            return false;
        try
        {
            PostBatch(Open, _batch + 1);
        }
        catch (CudaException exception)
        {
            Fail(exception.Code);
        }

        return true;
    }

    /// <summary>Adds leading writes to the open batch and returns how many it had room for.</summary>
    private int Add(ReadOnlySpan<FabricWrite> writes, ref bool isEnded)
    {
        WriteBatch batch = Open;
        ulong number = _batch + 1;
        int copyBytes = _options.CopyEngineBytes;
        int i = 0;
        while (i < writes.Length)
        {
            ref readonly FabricWrite write = ref writes[i];
            if (!batch.Fits(write.Length))
                return i;
            if (write.Length is <= 0 or > WriteBatch.MostBytes)
            {
                AddOdd(in write);
                isEnded = true;
                i++;
                continue;
            }

            Span<WriteRun> runs = batch.Runs;
            int index = runs.Length - 1;
            if (index < 0 || runs[index].RouteIndex != write.Route || runs[index].LocalKey != write.LocalKey || runs[index].RemoteKey != write.RemoteKey)
            {
                index = Begin(batch, in write);
                runs = batch.Runs;
            }

            ref WriteRun run = ref runs[index];
            int alike = run.Status == FabricStatus.Ok ? batch.AddAlike(in run, writes[i..], copyBytes) : 0;
            if (alike != 0)
                run.Route!.Await(in write, number, index, alike);
            else
                isEnded |= !TryAddOne(batch, index, in write, number);
            i += Math.Max(alike, 1);
        }

        return writes.Length;
    }

    /// <summary>Adds a write that is longer than an entry, of pinned memory, or refused; false in the last case.</summary>
    private bool TryAddOne(WriteBatch batch, int index, in FabricWrite write, ulong number)
    {
        ref WriteRun run = ref batch.Runs[index];
        FabricStatus status = run.Status;
        nint source = 0, destination = 0;
        if (status == FabricStatus.Ok)
        {
            if (!run.Source.TryLocate(write.LocalAddress, write.Length, out source))
                status = FabricStatus.LocalAccess;
            else if (!run.Destination.TryLocate(write.RemoteAddress, write.Length, out destination))
                status = FabricStatus.RemoteAccess;
        }

        if (status != FabricStatus.Ok)
        {
            AddEnded(run.Route, in write, status, run.Code);
            return false;
        }

        // Safe: both ranges lie inside regions whose keys are looked at again before the batch goes (see LinkRow). A copy engine
        // takes no range over several pinned ones.
        if (write.Length >= _options.CopyEngineBytes && !run.Source.IsPinned && !run.Destination.IsPinned)
            batch.AddCopy(source, destination, write.Length);
        else
            batch.Add(source, destination, write.Length);
        run.Route!.Await(in write, number, index, 1);
        return true;
    }

    /// <summary>Looks a route and two regions up, for this write and those like it.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int Begin(WriteBatch batch, in FabricWrite write)
    {
        NvlinkRoute? route = FindRoute(write.Route);
        var run = new WriteRun { Route = route, RouteIndex = write.Route, LocalKey = write.LocalKey, RemoteKey = write.RemoteKey };
        if (route is not { IsUp: true })
        {
            run.Status = FabricStatus.RouteDown;
            if (route is not null)
                NoteFailure(route);
        }
        else if (!_regions.TryFind(write.LocalKey, out run.Source))
        {
            run.Status = FabricStatus.LocalAccess;
        }
        else if (!route.Peer.TryFind(write.RemoteKey, out run.Destination, out run.Code))
        {
            run.Status = FabricStatus.RemoteAccess;
        }

        return batch.Begin(in run);
    }

    /// <summary>An immediate alone, or a length that no write has.</summary>
    private void AddOdd(in FabricWrite write)
    {
        NvlinkRoute? route = FindRoute(write.Route);
        bool isUp = route is { IsUp: true };
        if (route is not null && !isUp)
            NoteFailure(route);
        AddEnded(route, in write, !isUp ? FabricStatus.RouteDown : write.Length == 0 ? FabricStatus.Ok : FabricStatus.ProviderError, 0);
    }

    /// <summary>A write that waits for no copy: for its turn at most.</summary>
    private void AddEnded(NvlinkRoute? route, in FabricWrite write, FabricStatus status, int code)
    {
        if (route is null)
            Report(write.Route, write.Context, FabricStatus.RouteDown);
        else
            route.End(in write, status, code);
    }

    private void PostBatch(WriteBatch batch, ulong number)
    {
        Announce(batch, number);
        Span<WriteRun> runs = batch.Runs;
        bool isPosted = false, isDropped = false;
        for (int i = 0; i < runs.Length; i++)
        {
            if (runs[i].Status != FabricStatus.Ok || runs[i].Route is not { } route)
                continue;
            FabricStatus status = !route.IsUp ? FabricStatus.RouteDown
                : !_regions.IsKnown(runs[i].LocalKey) ? FabricStatus.LocalAccess
                : !route.Peer.TryUse(runs[i].RemoteKey, number) ? FabricStatus.RemoteAccess : FabricStatus.Ok;
            isPosted |= status == FabricStatus.Ok;
            if (status == FabricStatus.Ok)
                continue;
            isDropped = true;
            runs[i].Status = status;
            batch.Drop(i);
            route.EndRun(number, i, status);
            if (status == FabricStatus.RouteDown)
                NoteFailure(route);
        }

        if (isPosted)
        {
            batch.Post(_stream, _kernel, _tickets?.Address ?? 0, _segment.DoneAddress, number);
            _batchPosted = Stopwatch.GetTimestamp();
        }

        Settle(runs, number, isPosted);
        batch.Clear();
        if (isPosted)
            _batch = number;
        if (isDropped)
            AdvanceAll();
    }

    /// <summary>Says what the batch may touch, before keys and links are looked at (see <see cref="LinkRow"/>).</summary>
    private void Announce(WriteBatch batch, ulong number)
    {
        foreach (ref WriteRun run in batch.Runs)
        {
            if (run.Status == FabricStatus.Ok && run.Route is { Link: not null } route)
                Volatile.Write(ref route.Link->Posted, number);
        }

        _regions.Announce(number);
        Interlocked.MemoryBarrier();
    }

    /// <summary>Keeps what was announced where something is on the stream, and takes it back elsewhere.</summary>
    private void Settle(Span<WriteRun> runs, ulong number, bool isPosted)
    {
        if (!isPosted)
            _regions.Announce(_batch);
        foreach (ref WriteRun run in runs)
        {
            if (run.Status == FabricStatus.Ok && run.Route is { } route)
                route.Posted = number;
        }

        foreach (ref WriteRun run in runs)
        {
            if (run.Route is { Link: not null } route)
                Volatile.Write(ref route.Link->Posted, route.Posted);
        }
    }

    /// <summary>Takes a closing route's writes out of the open batch; they are reported by who closes it.</summary>
    private void DropRoute(NvlinkRoute route)
    {
        Span<WriteRun> runs = Open.Runs;
        for (int i = 0; i < runs.Length; i++)
        {
            if (runs[i].Route != route)
                continue;
            Open.Drop(i);
            // Its number may be another route's soon.
            (runs[i].Route, runs[i].RouteIndex) = (null, -1);
        }
    }

    private void AdvanceAll()
    {
        foreach (NvlinkRoute? route in _routes)
        {
            if (route is { Pending.Count: not 0 })
                Advance(route);
        }
    }

    /// <summary>Reports a route's writes whose copies have landed, and hands their immediates over.</summary>
    private void Advance(NvlinkRoute route)
    {
        ulong done = _segment.Done;
        while (route.Pending.Count != 0)
        {
            ref PendingWrite write = ref route.Pending.First;
            if (write.Batch > done)
                return;
            if (write.Status == FabricStatus.Ok && write.Immediate != 0)
            {
                if (!route.IsUp)
                {
                    write.Status = FabricStatus.RouteDown;
                    NoteFailure(route);
                }
                else if (!route.TryPublish(write.Immediate, write.Count))
                {
                    return;
                }
            }

            Report(route.Index, write.Context, write.Status, write.Code, write.Count);
            route.Pending.RemoveFirst();
        }
    }

    /// <summary>Wakes peers that got something, where they are parked.</summary>
    private void WakePeers()
    {
        bool fenced = false;
        foreach (NvlinkRoute? route in _routes)
        {
            if (route is not { Peer: { WakePending: true } peer })
                continue;
            peer.WakePending = false;
            // Orders what was published before the look at the flag (see Arrivals).
            if (!fenced)
                Interlocked.MemoryBarrier();
            fenced = true;
            if (Volatile.Read(ref peer.Header->Armed) != 0 && Interlocked.Exchange(ref peer.Header->Armed, 0) != 0)
                _socket.Wake(peer.Wake);
        }
    }
}
