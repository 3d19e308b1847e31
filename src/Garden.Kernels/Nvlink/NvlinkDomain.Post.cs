using System.Diagnostics;
using Garden.Fabric;

namespace Garden.Kernels.Nvlink;

/// <summary>From posted writes to copies on the stream.</summary>
internal sealed unsafe partial class NvlinkDomain
{
    /// <summary>
    /// Batches on the stream at once: one runs, the next is ready. What is posted meanwhile waits and becomes one larger batch, so that
    /// many short writes are few kernels, and one write alone goes at once.
    /// </summary>
    public const int MostBatches = 2;

    private readonly Ring<FabricWrite> _waiting;
    private ulong _batch;
    private long _batchPosted;
    private int _accepted;
    private bool _refused;
    private int? _failure;

    /// <inheritdoc/>
    public int PostWrites(ReadOnlySpan<FabricWrite> writes)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        int room = _options.QueueDepth - _accepted;
        _refused |= writes.Length > room;
        if (writes.Length > room)
            writes = writes[..room];
        _accepted += writes.Length;
        int posted = 0;
        Pump();
        if (_failed)
            posted = Refuse(writes, FabricStatus.NicDown, 0);
        while (posted < writes.Length && _waiting.Count == 0 && HasRoom)
        {
            posted += PostBatch(writes[posted..]);
            EndFailed();
        }

        foreach (ref readonly FabricWrite write in writes[posted..])
            _waiting.Add(in write);
        WakePeers();
        return writes.Length;
    }

    private bool HasRoom => _failed || _batch - Math.Min(_batch, _segment.Done) < MostBatches;

    /// <summary>Posts what waits, as far as the stream has room for more.</summary>
    private void Pump()
    {
        while (_waiting.Count != 0 && HasRoom)
        {
            _waiting.RemoveFirst(PostBatch(_waiting.Front));
            EndFailed();
        }
    }

    /// <summary>Fails the NIC when the batch before has failed: only now, because that reports everything that still waits.</summary>
    private void EndFailed()
    {
        if (_failure is not { } code)
            return;
        _failure = null;
        Fail(code);
    }

    /// <summary>Reports a route's writes that still wait: its number may be another route's soon.</summary>
    private void FlushWaiting(int route)
    {
        for (int left = _waiting.Count; left > 0; left--)
        {
            FabricWrite write = _waiting.First;
            _waiting.RemoveFirst();
            if (write.Route == route)
                Report(route, write.Context, FabricStatus.Flushed);
            else
                _waiting.Add(in write);
        }
    }

    private int Refuse(ReadOnlySpan<FabricWrite> writes, FabricStatus status, int code)
    {
        foreach (ref readonly FabricWrite write in writes)
            Report(write.Route, write.Context, status, code);
        return writes.Length;
    }

    /// <summary>Puts leading writes on the stream and returns how many.</summary>
    private int PostBatch(ReadOnlySpan<FabricWrite> writes)
    {
        if (_failed)
            return Refuse(writes, FabricStatus.NicDown, 0);
        DeviceWriteList list = _stages.Take();
        ulong batch = _batch + 1;
        Announce(writes, batch);
        int done = 0;
        try
        {
            bool copies = false;
            int index = -1;
            NvlinkRoute? route = null;
            bool isUp = false;
            for (; done < writes.Length && WriteStages.Fits(list, writes[done].Length); done++)
            {
                ref readonly FabricWrite write = ref writes[done];
                if (write.Route != index)
                {
                    index = write.Route;
                    route = FindRoute(index);
                    isUp = route is { IsUp: true };
                }

                copies |= Post(route, isUp, in write, list, batch);
            }

            if (list.Count != 0)
            {
                list.Execute(_stream);
                _stages.Use();
            }

            if (copies)
            {
                _stream.WriteFlag(_segment.DoneAddress, batch);
                _batch = batch;
                _batchPosted = Stopwatch.GetTimestamp();
            }
        }
        catch (CudaException exception)
        {
            _failure = exception.Code;
            return done + Refuse(writes[done..], FabricStatus.NicDown, exception.Code);
        }

        Settle(writes, _batch == batch);
        return done;
    }

    /// <summary>Says what the batch may touch, before keys and links are looked at (see <see cref="LinkRow"/>).</summary>
    private void Announce(ReadOnlySpan<FabricWrite> writes, ulong batch)
    {
        int last = -1;
        foreach (ref readonly FabricWrite write in writes)
        {
            if (write.Route == last || write.Length <= 0)
                continue;
            last = write.Route;
            if (FindRoute(last) is { Link: not null } route)
                Volatile.Write(ref route.Link->Posted, batch);
        }

        _regions.Announce(batch);
        Interlocked.MemoryBarrier();
    }

    /// <summary>Keeps what was announced, or takes it back when nothing of the batch is on the stream; then sees what has ended already.</summary>
    private void Settle(ReadOnlySpan<FabricWrite> writes, bool isPosted)
    {
        int last = -1;
        if (!isPosted)
            _regions.Announce(_batch);
        foreach (ref readonly FabricWrite write in writes)
        {
            if (write.Route == last || FindRoute(write.Route) is not { } route)
                continue;
            last = write.Route;
            if (isPosted)
                route.Posted = _batch;
            if (route.Link is not null)
                Volatile.Write(ref route.Link->Posted, route.Posted);
            Advance(route);
        }
    }

    /// <summary>Checks one write and puts it on the stream or the list; true when there is something to copy.</summary>
    private bool Post(NvlinkRoute? route, bool isUp, in FabricWrite write, DeviceWriteList list, ulong batch)
    {
        if (route is null)
        {
            Report(write.Route, write.Context, FabricStatus.RouteDown);
            return false;
        }

        nint source = 0, destination = 0;
        int code = 0;
        bool isPinned = false;
        FabricStatus status = isUp ? Locate(route, in write, out source, out destination, out isPinned, out code) : FabricStatus.RouteDown;
        bool copies = status == FabricStatus.Ok && write.Length != 0;
        // Safe: Locate found both ranges inside regions that stay until the batch is done (see LinkRow). A copy engine takes no range
        // over several pinned ones, and host memory is pinned by the page.
        if (copies && write.Length >= _options.CopyEngineBytes && !isPinned)
            _stream.Copy(destination, source, write.Length);
        else if (copies)
            list.Add(source, destination, write.Length);
        if (status == FabricStatus.RouteDown)
            NoteFailure(route);
        ulong awaited = copies ? batch : 0;
        if (route.Pending.Count != 0)
        {
            ref PendingWrite last = ref route.Pending.Last;
            if (last.Context == write.Context && last.Batch == awaited && last.Immediate == write.Immediate && last.Status == FabricStatus.Ok && status == FabricStatus.Ok)
            {
                last.Count++;
                return copies;
            }
        }

        route.Pending.Add(new PendingWrite { Context = write.Context, Batch = awaited, Immediate = write.Immediate, Status = status, Code = code, Count = 1 });
        return copies;
    }

    private FabricStatus Locate(NvlinkRoute route, in FabricWrite write, out nint source, out nint destination, out bool isPinned, out int code)
    {
        source = destination = 0;
        isPinned = false;
        code = 0;
        if (write.Length is <= 0 or > WriteStages.MostBytes)
            return write.Length == 0 ? FabricStatus.Ok : FabricStatus.ProviderError;
        if (!_regions.TryFind(write.LocalKey, write.LocalAddress, write.Length, out source, out bool isSourcePinned))
            return FabricStatus.LocalAccess;
        if (!route.Peer.TryFind(write.RemoteKey, write.RemoteAddress, write.Length, out destination, out isPinned, out code))
            return FabricStatus.RemoteAccess;
        isPinned |= isSourcePinned;
        return FabricStatus.Ok;
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
            int ended = write.Count;
            if (write.Status == FabricStatus.Ok && write.Immediate != 0)
            {
                if (!route.IsUp)
                {
                    write.Status = FabricStatus.RouteDown;
                    NoteFailure(route);
                }
                else
                {
                    ended = route.Publish(write.Immediate, write.Count);
                }
            }

            if (ended == 0)
                return;
            Report(route.Index, write.Context, write.Status, write.Code, ended);
            write.Count -= ended;
            if (write.Count == 0)
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
