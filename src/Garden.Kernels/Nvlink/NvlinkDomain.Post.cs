using System.Diagnostics;
using Garden.Fabric;

namespace Garden.Kernels.Nvlink;

/// <summary>From posted writes to copies on the stream.</summary>
internal sealed unsafe partial class NvlinkDomain
{
    private ulong _batch;
    private long _batchPosted;
    private int _accepted;
    private bool _refused;

    /// <inheritdoc/>
    public int PostWrites(ReadOnlySpan<FabricWrite> writes)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        int room = _options.QueueDepth - _accepted;
        int posted = 0;
        if (writes.Length > room)
            writes = writes[..room];
        while (posted < writes.Length)
        {
            int taken = _failed ? Refuse(writes[posted..], FabricStatus.NicDown, 0) : PostBatch(writes[posted..]);
            if (taken == 0)
                break;
            posted += taken;
        }

        _accepted += posted;
        _refused |= posted < writes.Length || room == 0;
        WakePeers();
        return posted;
    }

    private int Refuse(ReadOnlySpan<FabricWrite> writes, FabricStatus status, int code)
    {
        foreach (ref readonly FabricWrite write in writes)
            Report(write.Route, write.Context, status, code);
        return writes.Length;
    }

    /// <summary>Puts leading writes on the stream and returns how many; 0 while all lists are under way.</summary>
    private int PostBatch(ReadOnlySpan<FabricWrite> writes)
    {
        if (_stages.TryTake(_segment.Done) is not { } list)
            return 0;
        writes = writes[..WriteStages.Fit(writes, _options.CopyEngineBytes)];
        ulong batch = _batch + 1;
        Announce(writes, batch);
        int done = 0;
        try
        {
            bool copies = false;
            for (; done < writes.Length; done++)
                copies |= Post(in writes[done], list, batch);
            if (list.Count != 0)
            {
                list.Execute(_stream);
                _stages.Use(batch);
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
            Fail(exception.Code);
            return done + Refuse(writes[done..], FabricStatus.NicDown, exception.Code);
        }

        Settle(writes, _batch == batch);
        return writes.Length;
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
    private bool Post(in FabricWrite write, DeviceWriteList list, ulong batch)
    {
        if (FindRoute(write.Route) is not { } route)
        {
            Report(write.Route, write.Context, FabricStatus.RouteDown);
            return false;
        }

        FabricStatus status = Locate(route, in write, out nint source, out nint destination, out int code);
        bool copies = status == FabricStatus.Ok && write.Length != 0;
        // Safe: Locate found both ranges inside regions that stay until the batch is done (see LinkRow).
        if (copies && write.Length >= _options.CopyEngineBytes)
            _stream.Copy(destination, source, write.Length);
        else if (copies)
            list.Add(source, destination, write.Length);
        route.Pending.Enqueue(new PendingWrite { Context = write.Context, Batch = copies ? batch : 0, Immediate = write.Immediate, Status = status, Code = code });
        if (status == FabricStatus.RouteDown)
            NoteFailure(route);
        return copies;
    }

    private FabricStatus Locate(NvlinkRoute route, in FabricWrite write, out nint source, out nint destination, out int code)
    {
        source = destination = 0;
        code = 0;
        if (!route.IsUp)
            return FabricStatus.RouteDown;
        if (write.Length <= 0)
            return write.Length == 0 ? FabricStatus.Ok : FabricStatus.ProviderError;
        if (!_regions.TryFind(write.LocalKey, write.LocalAddress, write.Length, out source))
            return FabricStatus.LocalAccess;
        return route.Peer.TryFind(write.RemoteKey, write.RemoteAddress, write.Length, out destination, out code) ? FabricStatus.Ok : FabricStatus.RemoteAccess;
    }

    /// <summary>Reports a route's writes whose copies have landed, and hands their immediates over.</summary>
    private void Advance(NvlinkRoute route)
    {
        ulong done = _segment.Done;
        while (route.Pending.TryPeek(out PendingWrite write) && write.Batch <= done)
        {
            if (write.Status == FabricStatus.Ok && write.Immediate != 0)
            {
                if (!route.IsUp)
                {
                    write.Status = FabricStatus.RouteDown;
                    NoteFailure(route);
                }
                else if (!route.TryPublish(write.Immediate))
                {
                    return;
                }
            }

            route.Pending.Dequeue();
            Report(route, in write, write.Status, write.Code);
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
