using System.Diagnostics;
using Garden.Fabric;
using Garden.Interop.Libfabric.Native;

namespace Garden.Interop.Libfabric;

/// <summary>Remote NICs and the routes to them.</summary>
internal sealed unsafe partial class LibfabricDomain
{
    /// <summary>While so many remote NICs are known as senders, those without a route are forgotten again.</summary>
    private const int MostSenders = 4096;

    /// <summary>How long what a neighbour has sent is taken in before it goes.</summary>
    private const int LettingGoMilliseconds = 100;

    private const int RouteIndexBits = 16;

    /// <summary>How long nothing ends at a living peer before the bytes it has are taken for never ending.</summary>
    private static readonly long s_silence = Stopwatch.Frequency / 20;

    private readonly Dictionary<string, PeerNic> _peers = [];
    private readonly Dictionary<ulong, PeerNic> _senders = [];
    private readonly Queue<int> _freeRoutes = new();
    private readonly List<LibfabricRoute> _waiting = [];
    private LibfabricRoute?[] _routes = new LibfabricRoute?[8];
    private int _routeCount;
    private long _nextProcessCheck;

    /// <inheritdoc/>
    public int OpenRoute(string remoteAddress)
    {
        ArgumentNullException.ThrowIfNull(remoteAddress);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            PeerNic peer = FindOrAddPeer(remoteAddress);
            peer.References++;
            if (!_freeRoutes.TryDequeue(out int number))
            {
                if (_routeCount >> RouteIndexBits != 0)
                    throw new FabricException($"{_where} has {_routeCount} routes open, which is all there are; close some.");
                number = _routeCount++;
            }

            int index = IndexOfRoute(number);
            if (index >= _routes.Length)
                Array.Resize(ref _routes, 2 * _routes.Length);
            // A peer that is known to be gone shows in the first operation.
            _routes[index] = new LibfabricRoute(number, peer) { HasFailed = peer.IsGone };
            return number;
        }
    }

    /// <inheritdoc/>
    public void CloseRoute(int route)
    {
        lock (_gate)
        {
            if (_disposed || FindRoute(route) is not { } open)
                return;
            EndWaiting(open, FabricStatus.Flushed, 0);
            open.IsClosed = true;
            _routes[IndexOfRoute(route)] = null;
            // The place comes back under another number: what is still reported of this one is no later one's.
            _freeRoutes.Enqueue((route + (1 << RouteIndexBits)) & int.MaxValue);
            Unreference(open.Peer);
        }
    }

    /// <inheritdoc/>
    public void FencePeer(int route)
    {
        // Nothing to call: libfabric has no way to end what a peer has open towards here (FabricCapabilities.FencesPeers is false).
        // Memory that a given-up peer could still write is given new keys instead (MemoryRegion.RenewAsync).
    }

    /// <summary>A neighbour in this process goes: what it has sent is taken in, then it is let go of.</summary>
    internal void LetGo(LibfabricDomain neighbour)
    {
        lock (_gate)
        {
            // Also one that is about to close its own endpoint still has the neighbour's memory.
            if (_nic.Ep is null)
                return;
            long until = Environment.TickCount64 + LettingGoMilliseconds;
            for (int idle = 0; idle < 2 && Environment.TickCount64 < until;)
                idle = HarvestForWorker() ? 0 : idle + 1;
            // Found by what it sent, the provider knows it without the address vector; only what is in there can be removed.
            try
            {
                Lose(FindOrAddPeer(neighbour.Address, isLeaving: true), FI.FI_ESHUTDOWN);
            }
            catch (DescriptorException)
            {
                // Not taken in, it cannot be removed either; the other neighbours are told all the same.
            }
        }
    }

    private static int IndexOfRoute(int number) => number & ((1 << RouteIndexBits) - 1);

    private LibfabricRoute? FindRoute(int number)
    {
        int index = IndexOfRoute(number);
        return index < _routes.Length && _routes[index] is { } route && route.Index == number ? route : null;
    }

    private PeerNic FindOrAddPeer(string text, bool isLeaving = false)
    {
        if (_peers.TryGetValue(text, out PeerNic? peer))
            return peer;
        LibfabricAddress address = LibfabricAddress.Parse(text, _traits.Attributes.AddressFormat);
        if (_traits.SharesMemory && !isLeaving && (Neighbours.IsGone(text) || !ProcessWatch.HasMemory(text)))
        {
            // Not for the provider: it takes an address without memory, gives its place to the next one too, and follows what
            // that leaves behind. Or it looks for it among this process's endpoints, in memory that is gone.
            peer = new PeerNic(text, address, 0) { IsGone = true };
            _peers.Add(text, peer);
            return peer;
        }

        ulong fiAddress;
        int inserted;
        fixed (byte* native = address.Native)
            inserted = Calls.fi_av_insert(_nic.Av, native, &fiAddress);
        if (inserted != 1)
            throw new DescriptorException($"{_where} does not take the address \"{text}\": {LibfabricErrors.Text(Math.Abs(inserted))} ({inserted}).");
        peer = new PeerNic(text, address, fiAddress);
        if (_traits.SharesMemory)
            peer.Process = ProcessWatch.OwnerOf(text);
        _peers.Add(text, peer);
        return peer;
    }

    private void Unreference(PeerNic peer)
    {
        peer.References--;
        ForgetIfUnused(peer);
    }

    private void ForgetIfUnused(PeerNic peer)
    {
        if (peer.References != 0 || peer.InFlight != 0)
            return;
        // One that was lost stands there no more; another of its name may.
        if (!_peers.TryGetValue(peer.Text, out PeerNic? known) || known != peer)
            return;
        _peers.Remove(peer.Text);
        if (peer.IsGone)
            return;
        // Before its entry goes: what waits for it here would be offered to the provider under an address that is freed memory there.
        peer.IsGone = true;
        if (peer.Control is { } control)
            FailRoute(control, FabricStatus.Flushed, 0);
        Calls.fi_av_remove(_nic.Av, peer.FiAddress);
    }

    /// <summary>The NIC that sent a message; null when its address is not one.</summary>
    private PeerNic? FindSender(in MessageFrame frame, ReadOnlySpan<byte> address)
    {
        if (_senders.TryGetValue(frame.Sender, out PeerNic? peer))
            return peer;
        if (_senders.Count >= MostSenders)
            ForgetSenders();
        try
        {
            peer = FindOrAddPeer(System.Text.Encoding.ASCII.GetString(address));
        }
        catch (DescriptorException)
        {
            return null;
        }

        peer.References++;
        _senders.Add(frame.Sender, peer);
        return peer;
    }

    /// <summary>Forgets the senders that nobody here has a route to; one that sends again is found anew.</summary>
    private void ForgetSenders()
    {
        foreach ((ulong id, PeerNic peer) in _senders.ToArray())
        {
            if (peer.References != 1 && !peer.IsGone)
                continue;
            _senders.Remove(id);
            Unreference(peer);
        }
    }

    /// <summary>Ends a route: what waits on it is reported, then that it is gone.</summary>
    private void FailRoute(LibfabricRoute route, FabricStatus status, int code)
    {
        if (route.HasFailed)
            return;
        route.HasFailed = true;
        EndWaiting(route, status, code);
        if (!route.IsClosed)
            Report(FabricCompletionKind.RouteFailed, 0, route.Index, status, code);
    }

    /// <summary>
    /// An operation found its connection broken. One of a route that has ended already says nothing new: there may be another connection
    /// by now, and routes over it.
    /// </summary>
    private void FailRoutesBehind(LibfabricRoute route, int code)
    {
        if (!route.HasFailed && (!route.IsClosed || route == route.Peer.Control))
            FailRoutes(route.Peer, code);
    }

    /// <summary>The connection to a remote NIC broke: every route over it is gone.</summary>
    private void FailRoutes(PeerNic peer, int code)
    {
        for (int i = 0; i < _routeCount; i++)
        {
            if (_routes[i] is { } route && route.Peer == peer)
                FailRoute(route, FabricStatus.RouteDown, code);
        }

        if (peer.Control is { } control)
            FailRoute(control, FabricStatus.RouteDown, code);
    }

    /// <summary>A remote NIC is gone for good: also what the provider holds for it will not end by itself.</summary>
    private void Lose(PeerNic peer, int code)
    {
        if (peer.IsGone)
            return;
        peer.IsGone = true;
        FailRoutes(peer, code);
        for (int i = 0; i < _writes.Count; i++)
        {
            if (!_writes.IsInUse(i) || _writes.RouteOf(i).Peer != peer)
                continue;
            Report(FabricCompletionKind.Write, _writes[i].Context, _writes.RouteOf(i).Index, FabricStatus.RouteDown, code);
            _writes.Lose(i);
        }

        for (int i = 0; i < _messages.Count; i++)
        {
            if (_messages[i].Route is { } route && route.Peer == peer)
            {
                EndMessage(i, FabricStatus.RouteDown, code);
                if (_messages[i].IsWithProvider)
                    _messages.Lose(i);
            }
        }

        peer.InFlight = 0;
        peer.BytesInFlight = 0;
        _peers.Remove(peer.Text);
        Calls.fi_av_remove(_nic.Av, peer.FiAddress);
    }

    private void EndWaiting(LibfabricRoute route, FabricStatus status, int code)
    {
        while (route.WaitingWrites.TryDequeue(out int write))
        {
            Report(FabricCompletionKind.Write, _writes[write].Context, route.Index, status, code);
            _writes.Return(write);
        }

        route.WaitingMessages.Clear();
        for (int i = 0; i < _messages.Count; i++)
        {
            if (_messages[i].Route == route)
                EndMessage(i, status, code);
        }

        if (route.IsWaiting)
        {
            route.IsWaiting = false;
            _waiting.Remove(route);
        }
    }

    /// <summary>Offers the provider what it has refused before.</summary>
    private void FlushWaiting()
    {
        for (int i = _waiting.Count - 1; i >= 0; i--)
        {
            LibfabricRoute route = _waiting[i];
            if (FlushMessages(route) & FlushWrites(route))
            {
                route.IsWaiting = false;
                route.EndedWhenRefused = -1;
                _waiting.RemoveAt(i);
            }
            else if (IsStuck(route))
            {
                FailRoute(route, FabricStatus.RouteDown, FI.FI_ETIMEDOUT);
            }
            else if (!_traits.TellsRefusedWrites && Stopwatch.GetTimestamp() - route.RefusedSince > s_silence)
            {
                // What it has refused never ends and must not be waited for.
                route.Peer.BytesInFlight = 0;
            }
        }
    }

    private bool IsStuck(LibfabricRoute route)
    {
        long now = Stopwatch.GetTimestamp();
        if (route.EndedWhenRefused == route.Peer.Ended)
            return now - route.RefusedSince > _routeTimeout;
        route.EndedWhenRefused = route.Peer.Ended;
        route.RefusedSince = now;
        return false;
    }

    private void Wait(LibfabricRoute route)
    {
        if (route.IsWaiting)
            return;
        route.IsWaiting = true;
        _waiting.Add(route);
    }

    /// <summary>Where peers are processes of this host, their end is looked for: shared memory does not tell.</summary>
    private void CheckProcesses()
    {
        long now = Environment.TickCount64;
        if (now < _nextProcessCheck)
            return;
        _nextProcessCheck = now + ProcessWatch.IntervalMilliseconds;
        List<PeerNic>? gone = null;
        foreach (PeerNic peer in _peers.Values)
        {
            if (peer.Process is { } process && !ProcessWatch.IsAlive(process))
                (gone ??= []).Add(peer);
        }

        gone?.ForEach(peer => Lose(peer, FI.FI_ESHUTDOWN));
    }
}
