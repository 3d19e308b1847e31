using System.Runtime.CompilerServices;

namespace Garden.Fabric.Loopback;

internal sealed unsafe partial class LoopbackDomain
{
    private const int ChunkWrites = 64;
    private readonly uint[] _landed = new uint[ChunkWrites];
    private int[] _wakes;
    private int _wakeCount;

    /// <summary>What stands in the way of a delivery.</summary>
    private enum Admission
    {
        Open,
        Held,
        Down,
    }

    /// <inheritdoc/>
    public int PostWrites(ReadOnlySpan<FabricWrite> writes)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        // Writes reported early (LocalOnly) still take a place until they are delivered.
        int room = Math.Max(0, _depth - Math.Max(_outstandingWrites, _pendingWrites));
        if (writes.Length > room)
            writes = writes[..room];
        int posted = 0;
        while (posted < writes.Length)
        {
            ReadOnlySpan<FabricWrite> chunk = writes.Slice(posted, ChunkLength(writes[posted..], out int immediates));
            int accepted = PostChunk(chunk, immediates);
            posted += accepted;
            if (accepted < chunk.Length)
                break;
        }

        if (_wakeCount != 0)
            WakeTargets();
        return posted;
    }

    /// <summary>How many leading writes share a route and fit one delivery section; a longer write is a chunk of its own.</summary>
    private static int ChunkLength(ReadOnlySpan<FabricWrite> writes, out int immediates)
    {
        int route = writes[0].Route;
        int count = 0;
        long bytes = 0;
        immediates = 0;
        while (count < writes.Length && count < ChunkWrites && writes[count].Route == route)
        {
            // Lengths are checked later; here a negative one must only not upset the sum.
            bytes += Math.Clamp(writes[count].Length, 0, DeliverySection.MostBytes + 1);
            if (bytes > DeliverySection.MostBytes && count != 0)
                break;
            immediates += writes[count++].Immediate != 0 ? 1 : 0;
        }

        return count;
    }

    private int PostChunk(ReadOnlySpan<FabricWrite> chunk, int immediates)
    {
        LoopbackRoute? route = FindRoute(chunk[0].Route);
        if (_port.State != LoopbackPortState.Up || route is null || !TryResolve(route))
        {
            _outstandingWrites += chunk.Length;
            FabricStatus status = route is null ? FabricStatus.RouteDown : DownStatus;
            foreach (ref readonly FabricWrite write in chunk)
                _completions.AddWrite(write.Context, write.Route, status);
            return chunk.Length;
        }

        int done = 0;
        if (!_deferred && route.PendingWrites == 0)
        {
            if (chunk[0].Length <= DeliverySection.MostBytes)
                done = DeliverChunk(route, chunk, immediates);
            else if (TryDeliver(route, in chunk[0], staged: false, out FabricStatus status))
            {
                _completions.AddWrite(chunk[0].Context, route.Index, status);
                done = 1;
            }
        }

        while (done < chunk.Length && TryEnqueueWrite(route, in chunk[done]))
            done++;
        _outstandingWrites += done;
        return done;
    }

    /// <summary>Delivers the leading writes of a chunk in one section and returns how many have ended.</summary>
    private int DeliverChunk(LoopbackRoute route, ReadOnlySpan<FabricWrite> chunk, int immediates)
    {
        LoopbackPort target = route.Target!;
        int landed = 0, done = 0, granted = 0;
        _section.Enter();
        Admission admission = Admit(route, target);
        if (admission == Admission.Open)
        {
            if (immediates != 0)
                granted = target.Ring.Reserve(immediates);
            for (; done < chunk.Length; done++)
            {
                ref readonly FabricWrite write = ref chunk[done];
                if (write.Immediate != 0 && landed == granted)
                    break;
                FabricStatus status = Locate(in write, target, staged: false, out byte* source, out byte* destination);
                if (status == FabricStatus.Ok)
                {
                    // Safe: Locate found both ranges, of this length, inside regions that stay registered for the section.
                    Buffer.MemoryCopy(source, destination, write.Length, write.Length);
                    if (write.Immediate != 0)
                        _landed[landed++] = write.Immediate;
                }

                _completions.AddWrite(write.Context, write.Route, status);
            }

            if (landed != 0)
                target.Ring.Publish(_landed.AsSpan(0, landed), _port.Id, route.Link.ReceiverRoute);
        }

        _section.Exit();
        if (landed != 0)
            NoteWake(route);
        if (granted > landed)
            target.ReturnCredits(granted - landed);
        if (admission != Admission.Down)
            return done;
        FabricStatus down = FailDown(route);
        foreach (ref readonly FabricWrite write in chunk)
            _completions.AddWrite(write.Context, write.Route, down);
        return chunk.Length;
    }

    /// <summary>Delivers one write of any length, a section per MiB. False: it has to wait, and begins again next time.</summary>
    private bool TryDeliver(LoopbackRoute route, in FabricWrite write, bool staged, out FabricStatus status)
    {
        LoopbackPort target = route.Target!;
        status = FabricStatus.Ok;
        if (write.Immediate != 0 && target.Ring.Reserve(1) == 0)
        {
            // A receiver that is gone gives no credits back.
            if (Admit(route, target) != Admission.Down)
                return false;
            status = FailDown(route);
            return true;
        }

        Admission admission;
        long offset = 0;
        bool landed = false;
        do
        {
            _section.Enter();
            admission = Admit(route, target);
            byte* source = null, destination = null;
            if (admission == Admission.Open)
                status = Locate(in write, target, staged, out source, out destination);
            if (admission == Admission.Open && status == FabricStatus.Ok)
            {
                long piece = Math.Min(write.Length - offset, DeliverySection.MostBytes);
                // Safe: Locate found both ranges inside their regions for this section; the piece lies inside the ranges.
                Buffer.MemoryCopy(source + offset, destination + offset, piece, piece);
                offset += piece;
                landed = offset == write.Length;
                if (landed && write.Immediate != 0)
                {
                    uint immediate = write.Immediate;
                    target.Ring.Publish(new ReadOnlySpan<uint>(in immediate), _port.Id, route.Link.ReceiverRoute);
                }
            }

            _section.Exit();
        }
        while (admission == Admission.Open && status == FabricStatus.Ok && !landed);

        if (landed && write.Immediate != 0)
            NoteWake(route);
        else if (write.Immediate != 0)
            target.ReturnCredits(1);
        if (admission == Admission.Down)
            status = FailDown(route);
        return admission != Admission.Held;
    }

    /// <summary>
    /// Whether the way is open. What is delivered depends on it inside the section only, so that whoever closes the way waits
    /// for what this let through; outside it is a hint.
    /// </summary>
    private Admission Admit(LoopbackRoute route, LoopbackPort target)
    {
        LoopbackLink link = route.Link;
        if (_port.State != LoopbackPortState.Up || target.State != LoopbackPortState.Up || link.IsCut || link.FenceEpoch != route.FenceEpoch || route.HasFailed)
            return Admission.Down;
        return target.IsHeld ? Admission.Held : Admission.Open;
    }

    /// <summary>Checks a write against the regions on both sides. Inside the section.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private FabricStatus Locate(in FabricWrite write, LoopbackPort target, bool staged, out byte* source, out byte* destination)
    {
        source = destination = null;
        ulong length = (ulong)write.Length;
        if (length == 0)
            return FabricStatus.Ok;
        // A negative length is a huge one here.
        if (length > (ulong)_options.MaxWriteLength)
            return FabricStatus.ProviderError;
        if (staged)
        {
            source = (byte*)write.LocalAddress;
        }
        else
        {
            ref RegionRegistry.Row local = ref _regions.Find(write.LocalKey);
            if (Volatile.Read(ref local.LocalKey) != write.LocalKey || local.Owner != _port.Id)
                return FabricStatus.LocalAccess;
            ulong at = write.LocalAddress - local.Address;
            if (at > local.Length || length > local.Length - at)
                return FabricStatus.LocalAccess;
            source = (byte*)write.LocalAddress;
        }

        ref RegionRegistry.Row remote = ref _regions.Find(write.RemoteKey);
        if (Volatile.Read(ref remote.RemoteKey) != write.RemoteKey || remote.Owner != target.Id)
            return FabricStatus.RemoteAccess;
        ulong offset = write.RemoteAddress - remote.RemoteBase;
        if (offset > remote.Length || length > remote.Length - offset)
            return FabricStatus.RemoteAccess;
        destination = (byte*)(remote.Address + offset);
        return FabricStatus.Ok;
    }

    /// <summary>How operations end while this NIC or the way is down.</summary>
    private FabricStatus DownStatus => _port.State == LoopbackPortState.Failed ? FabricStatus.NicDown : FabricStatus.RouteDown;

    private FabricStatus FailDown(LoopbackRoute route)
    {
        // A partition may heal, and a failed NIC is told of as a whole; in all other cases the route is gone for good.
        if (_port.State == LoopbackPortState.Up && !route.Link.IsPartitioned)
            NoteFailure(route, FabricStatus.RouteDown);
        return DownStatus;
    }

    private void NoteWake(LoopbackRoute route)
    {
        if (route.WakePending)
            return;
        route.WakePending = true;
        _wakes[_wakeCount++] = route.Index;
    }

    private void WakeTargets()
    {
        // Orders what was published before the reads of the armed flags (see LoopbackPort).
        Interlocked.MemoryBarrier();
        for (int i = 0; i < _wakeCount; i++)
        {
            LoopbackRoute route = _routes[_wakes[i]]!;
            route.WakePending = false;
            if (route.Target!.IsArmed)
                route.Target.Signal.Wake();
        }

        _wakeCount = 0;
    }
}
