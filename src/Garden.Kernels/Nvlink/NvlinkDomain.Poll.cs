using System.Diagnostics;
using Garden.Fabric;

namespace Garden.Kernels.Nvlink;

/// <summary>Messages, completions and progress.</summary>
internal sealed unsafe partial class NvlinkDomain
{
    /// <summary>A park while copies run: nothing but time tells a parked worker of their end.</summary>
    private static readonly long s_copyPark = Stopwatch.Frequency / 50_000;

    /// <summary>A park while a peer has to make room.</summary>
    private static readonly long s_refusedPark = Stopwatch.Frequency / 5_000;

    private bool _armed;
    private bool _arrivalsFirst;

    /// <inheritdoc/>
    public bool TrySend(int route, ReadOnlySpan<byte> message, ulong context)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (message.Length > Segment.MessageBytes)
            throw new ArgumentException($"A message has at most {Segment.MessageBytes} bytes here; got {message.Length}.", nameof(message));
        // What nobody polls would pile up.
        if (_completions.Count >= 4 * _options.QueueDepth)
            return false;
        NvlinkRoute? open = FindRoute(route);
        FabricStatus status = _failed ? FabricStatus.NicDown : open is { IsUp: true } ? FabricStatus.Ok : FabricStatus.RouteDown;
        if (status == FabricStatus.Ok && !open!.TrySend(message))
        {
            _refused = true;
            return false;
        }

        if (status == FabricStatus.RouteDown && open is not null)
            NoteFailure(open);
        _completions.Add(new FabricCompletion { Kind = FabricCompletionKind.MessageSent, Status = status, Route = route, Context = context, Count = 1 });
        WakePeers();
        return true;
    }

    /// <inheritdoc/>
    public int Poll(Span<FabricCompletion> completions)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_armed)
            Disarm();
        if (!_failed)
            Progress();
        // Turn about, so that with a short span neither own completions nor arrivals wait for ever.
        _arrivalsFirst = !_arrivalsFirst;
        int taken = _arrivalsFirst ? TakeArrivals(completions) : TakeOwn(completions);
        return taken + (_arrivalsFirst ? TakeOwn(completions[taken..]) : TakeArrivals(completions[taken..]));
    }

    /// <inheritdoc/>
    public bool TryArm(out long dueTimestamp)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        dueTimestamp = long.MaxValue;
        bool isWaiting = false;
        if (_completions.Count != 0 || (!Open.IsEmpty && UnderWay < MostBatches))
            return false;
        _armed = true;
        Volatile.Write(ref _segment.Header->Armed, 1);
        // Orders the flag before the look at the links (see Arrivals).
        Interlocked.MemoryBarrier();
        if (!_failed && (_arrivals.Any || HasEnded(out isWaiting)))
        {
            Disarm();
            return false;
        }

        long now = Stopwatch.GetTimestamp();
        if (_segment.Done < _batch)
            dueTimestamp = now + s_copyPark;
        else if (_refused || _closing.Count != 0 || isWaiting)
            dueTimestamp = now + s_refusedPark;
        else if (_peers.Count != 0 || _arrivals.HasLinks)
            dueTimestamp = Math.Max(now, _nextCheck);
        return true;
    }

    /// <summary>True when a write can be reported.</summary>
    /// <param name="isWaiting">True when one waits for its copy or for a peer.</param>
    private bool HasEnded(out bool isWaiting)
    {
        isWaiting = false;
        ulong done = _segment.Done;
        foreach (NvlinkRoute? route in _routes)
        {
            if (route is null || route.Pending.Count == 0)
                continue;
            ref PendingWrite write = ref route.Pending.First;
            isWaiting = true;
            if (write.Batch <= done && (write.Immediate == 0 || write.Status != FabricStatus.Ok || route.HasRoom))
                return true;
        }

        return false;
    }

    private void Disarm()
    {
        _armed = false;
        Volatile.Write(ref _segment.Header->Armed, 0);
        _socket.Drain();
    }

    private void Progress()
    {
        _refused = false;
        long now = Stopwatch.GetTimestamp();
        foreach (NvlinkRoute? route in _routes)
        {
            if (route is null)
                continue;
            if (route.Pending.Count != 0)
                Advance(route);
            if (route.Peer.HasRevoked)
                route.Peer.LetGo(_segment.Done);
        }

        TryPost(mayGrow: _flows, isBurst: _bursts);
        _flows = _bursts = false;
        if (_closing.Count != 0)
            CloseLinks();
        if (_segment.Done < _batch && now - _batchPosted > s_suspectTicks)
            LookAtStream(now);
        if (now >= _nextCheck)
            Check(now);
        WakePeers();
    }

    /// <summary>A stream that has failed never says that it is done.</summary>
    private void LookAtStream(long now)
    {
        _batchPosted = now;
        try
        {
            _ = _stream.IsIdle;
        }
        catch (CudaException exception)
        {
            if (!exception.IsOfCapture)
                Fail(exception.Code);
        }
    }

    private void Check(long now)
    {
        _nextCheck = now + s_checkTicks;
        foreach (NvlinkPeer peer in _peers.Values)
            peer.Check();
        foreach (NvlinkRoute? route in _routes)
        {
            if (route is { HasFailed: false, Link: not null } && !route.IsUp)
            {
                NoteFailure(route);
                Advance(route);
            }
        }

        _arrivals.Check();
    }

    private int TakeArrivals(Span<FabricCompletion> completions) => _failed || completions.IsEmpty ? 0 : _arrivals.Take(completions);

    private int TakeOwn(Span<FabricCompletion> completions)
    {
        int taken = 0;
        for (; taken < completions.Length && _completions.Count != 0; _completions.RemoveFirst())
        {
            ref FabricCompletion next = ref _completions.First;
            if (next.Kind == FabricCompletionKind.Write)
                _accepted -= next.Count;
            completions[taken++] = next;
        }

        return taken;
    }
}
