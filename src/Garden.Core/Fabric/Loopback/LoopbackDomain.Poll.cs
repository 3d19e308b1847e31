using System.Diagnostics;

namespace Garden.Fabric.Loopback;

internal sealed unsafe partial class LoopbackDomain
{
    private bool _arrivalsFirst;

    /// <inheritdoc/>
    public bool TrySend(int route, ReadOnlySpan<byte> message, ulong context)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (message.Length > _options.MaxMessageLength)
            throw new ArgumentException($"A message has at most {_options.MaxMessageLength} bytes here (LoopbackOptions.MaxMessageLength); got {message.Length}.", nameof(message));
        if (Math.Max(_outstandingMessages, _pendingMessages) >= _depth)
            return false;
        LoopbackRoute? open = FindRoute(route);
        if (_port.State != LoopbackPortState.Up || open is null || !TryResolve(open))
        {
            _completions.AddMessage(context, route, open is null ? FabricStatus.RouteDown : DownStatus);
        }
        else if (_deferred || open.Target!.IsHeld || _pendingMessages != 0)
        {
            // Behind those that wait: it must not pass one that was held a moment ago.
            EnqueueMessage(open, message, context);
        }
        else
        {
            fixed (byte* bytes = message)
            {
                if (!TryDeliverMessage(open, (nint)bytes, message.Length, out FabricStatus status))
                    return false;
                _completions.AddMessage(context, route, status);
            }

            if (_wakeCount != 0)
                WakeTargets();
        }

        _outstandingMessages++;
        return true;
    }

    /// <inheritdoc/>
    public int Poll(Span<FabricCompletion> completions)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _port.IsArmed = false;
        if (_pendingCount != 0)
            Progress();
        // Turn about, so that with a short span neither own completions nor arrivals wait for ever.
        _arrivalsFirst = !_arrivalsFirst;
        int taken = _arrivalsFirst ? TakeArrivals(completions) : TakeOwn(completions);
        Span<FabricCompletion> rest = completions[taken..];
        if (!rest.IsEmpty)
            taken += _arrivalsFirst ? TakeOwn(rest) : TakeArrivals(rest);
        return taken;
    }

    /// <inheritdoc/>
    public bool TryArm(out long dueTimestamp)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        dueTimestamp = long.MaxValue;
        if (HasOwn)
            return false;
        _port.IsArmed = true;
        // Orders the flag before the look at the ring (see LoopbackPort).
        Interlocked.MemoryBarrier();
        if (!_port.Ring.HasArrival && !HasDeliverable(ref dueTimestamp) && !HasOwn)
            return true;
        _port.IsArmed = false;
        return false;
    }

    private bool HasOwn =>
        _completions.Count != 0 || _untoldRoutes != 0 || (_port.State == LoopbackPortState.Failed && !_failureTold);

    private bool TryDeliverMessage(LoopbackRoute route, nint bytes, int length, out FabricStatus status)
    {
        LoopbackPort target = route.Target!;
        status = FabricStatus.Ok;
        if (length > target.MaxMessageLength)
        {
            status = FabricStatus.ProviderError;
            return true;
        }

        bool granted = target.Messages.TryPop(out int buffer);
        if (granted && target.Ring.Reserve(1) == 0)
        {
            target.Messages.Push(buffer);
            granted = false;
        }

        _section.Enter();
        Admission admission = Admit(route, target);
        bool landed = granted && admission == Admission.Open;
        if (landed)
        {
            // Safe: the buffer is this thread's until it is published, is as long as the receiver's longest message, and
            // is not freed before the section of an admitted sender ends.
            Buffer.MemoryCopy((void*)bytes, target.Messages[buffer], length, length);
            target.Ring.PublishMessage(buffer, length, _port.Id, route.Link.ReceiverRoute);
        }

        _section.Exit();
        if (landed)
        {
            NoteWake(route);
        }
        else if (granted)
        {
            target.Messages.Push(buffer);
            target.ReturnCredits(1);
        }

        if (admission == Admission.Down)
            status = FailDown(route);
        return landed || admission == Admission.Down;
    }

    private int TakeOwn(Span<FabricCompletion> completions)
    {
        int taken = Math.Min(completions.Length, _completions.Count);
        _completions.Take(completions[..taken]);
        foreach (ref readonly FabricCompletion completion in completions[..taken])
        {
            if (completion.Kind == FabricCompletionKind.Write)
                _outstandingWrites -= completion.Count;
            else
                _outstandingMessages--;
        }

        if (_port.State == LoopbackPortState.Failed && !_failureTold && taken < completions.Length)
        {
            _failureTold = true;
            completions[taken++] = new FabricCompletion { Kind = FabricCompletionKind.DomainFailed, Status = FabricStatus.NicDown, Route = -1, Count = 1 };
        }

        if (_untoldRoutes != 0)
            taken += TellFailedRoutes(completions[taken..]);
        return taken;
    }

    private int TellFailedRoutes(Span<FabricCompletion> completions)
    {
        int taken = 0;
        foreach (LoopbackRoute? route in _routes)
        {
            if (taken == completions.Length)
                break;
            if (route is null || route.Untold == FabricStatus.Ok)
                continue;
            completions[taken++] = new FabricCompletion { Kind = FabricCompletionKind.RouteFailed, Status = route.Untold, Route = route.Index, Count = 1 };
            route.Untold = FabricStatus.Ok;
            _untoldRoutes--;
        }

        return taken;
    }

    private int TakeArrivals(Span<FabricCompletion> completions)
    {
        int taken = 0;
        while (taken < completions.Length && _port.Ring.TryTake(out ReceiveRing.Slot arrival))
        {
            ref FabricCompletion completion = ref completions[taken++];
            completion = default;
            completion.Count = 1;
            completion.Route = FindRoute(arrival.Route)?.Target?.Id == arrival.Source ? arrival.Route : -1;
            if (arrival.Buffer < 0)
            {
                completion.Kind = FabricCompletionKind.Immediate;
                completion.Immediate = arrival.Immediate;
                continue;
            }

            _port.Messages.Lend(arrival.Buffer);
            completion.Kind = FabricCompletionKind.Message;
            completion.Message = (nint)_port.Messages[arrival.Buffer];
            completion.MessageLength = arrival.Length;
            completion.MessageToken = arrival.Buffer;
        }

        if (taken != 0)
            _port.ReturnCredits(taken);
        return taken;
    }

    /// <summary>Whether a poll would get on with a pending operation now; otherwise when the first falls due.</summary>
    private bool HasDeliverable(ref long due)
    {
        if (_pendingCount == 0)
            return false;
        long now = Stopwatch.GetTimestamp();
        _pass++;
        for (int i = 0; i < _pendingCount; i++)
        {
            ref PendingOperation operation = ref _operations[_order[i]];
            LoopbackRoute route = _routes[operation.Write.Route]!;
            LoopbackPort target = route.Target!;
            Admission admission = Admit(route, target);
            if (admission == Admission.Down)
                return true;
            if (_random is null && (operation.IsMessage ? route.MessagesBlockedInPass : route.WritesBlockedInPass) == _pass)
                continue;
            if (operation.IsMessage)
                route.MessagesBlockedInPass = _pass;
            else
                route.WritesBlockedInPass = _pass;
            if (operation.Due > now)
                due = Math.Min(due, operation.Due);
            else if (admission == Admission.Open && (operation.ReleasePoll > _poll || HasRoom(route, target, in operation)))
                return true;
        }

        return false;
    }

    /// <summary>Whether the receiver has room; when not, it is asked to wake this NIC once it has.</summary>
    private static bool HasRoom(LoopbackRoute route, LoopbackPort target, in PendingOperation operation)
    {
        if (Room(target, in operation))
            return true;
        target.NoteBlocked(route.Link);
        return Room(target, in operation);
    }

    private static bool Room(LoopbackPort target, in PendingOperation operation) => operation.IsMessage
        ? target.Messages.HasFree && target.Ring.HasCredit
        : operation.Write.Immediate == 0 || target.Ring.HasCredit;
}
