using Garden.Fabric;
using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>Routes, and how connections under them end.</summary>
internal sealed unsafe partial class VerbsDomain
{
    /// <summary>How long the NIC may take to give back what a failed queue pair holds before it is destroyed with it.</summary>
    private const int DrainMilliseconds = 1000;

    /// <summary>A route's number has its index below, and above it the opening's own bits: what is told late of an old route is not a new one's.</summary>
    private const int RouteIndexBits = 20;

    private readonly Queue<int> _freeRoutes = new();

    /// <summary>
    /// Connections to destroy once the completion queue was seen empty after they had failed. With its queue pair a provider takes the unread
    /// completions away (mlx5), and nobody would post those receives again.
    /// </summary>
    private readonly List<VerbsConnection> _doomed = [];
    private VerbsRoute?[] _routes = new VerbsRoute?[8];
    private int _routeCount;
    private int _routesOpened;
    private uint _lastFence;

    /// <inheritdoc/>
    public int OpenRoute(string remoteAddress)
    {
        ArgumentNullException.ThrowIfNull(remoteAddress);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            RemoteNic remote = FindOrAddRemote(remoteAddress);
            remote.Routes++;
            if (!_freeRoutes.TryDequeue(out int index))
                index = _routeCount++;
            if (index >= _routes.Length)
                Array.Resize(ref _routes, 2 * _routes.Length);
            if (index >= 1 << RouteIndexBits)
                throw new InvalidOperationException($"A NIC has at most {1 << RouteIndexBits} routes; close some.");
            // 31 bits: a route's number is not negative.
            int number = (int)(((uint)_routesOpened++ << RouteIndexBits) & int.MaxValue) | index;
            _routes[index] = new VerbsRoute(number, remote);
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
            int index = route & ((1 << RouteIndexBits) - 1);
            _routes[index] = null;
            _freeRoutes.Enqueue(index);
            open.Nic.Routes--;
            if (open.Connection is not { } connection)
                return;
            EndWaiting(connection, route, FabricStatus.Flushed, 0);
            connection.Routes--;
            connection.OnlyRoute = connection.Routes == 1 ? Array.Find(_routes, other => other?.Connection == connection)!.Number : -1;
        }
    }

    /// <inheritdoc/>
    public void FencePeer(int route)
    {
        lock (_gate)
        {
            if (_disposed || _failed || FindRoute(route) is not { } open)
                return;
            // Also what is only on its way: an offer counts if its sender knows of the fence, and by then it has given its routes up.
            open.Nic.Fence = ++_lastFence;
            // Every connection to the NIC: this route's own may be over, and the peer's open route goes over its successor.
            VerbsConnection[] fenced = [.. _connections.Where(connection => connection.Nic == open.Nic)];
            foreach (VerbsConnection connection in fenced)
                FailConnection(connection, FabricStatus.RouteDown, VerbsErrors.Fenced);
            // What came before the fence counts; after it the queue pairs are no more, so nothing lands.
            Harvest();
            foreach (VerbsConnection connection in fenced)
                Destroy(connection);
        }
    }

    private VerbsRoute? FindRoute(int route)
    {
        int index = route & ((1 << RouteIndexBits) - 1);
        return index < _routes.Length && _routes[index] is { } open && open.Number == route ? open : null;
    }

    /// <summary>Gives a route its connection at its first use. Null, and the route has failed, when there can be none.</summary>
    private VerbsConnection? Bind(VerbsRoute route)
    {
        VerbsConnection? connection = route.Nic.Current ?? TryConnect(route.Nic);
        if (connection is null)
        {
            FailRoute(route, FabricStatus.RouteDown, VerbsErrors.TooManyPeers);
            return null;
        }

        route.Connection = connection;
        connection.Routes++;
        connection.OnlyRoute = connection.Routes == 1 ? route.Number : -1;
        return connection;
    }

    private void FailRoute(VerbsRoute route, FabricStatus status, int code)
    {
        if (route.HasFailed)
            return;
        route.HasFailed = true;
        Report(FabricCompletionKind.RouteFailed, 0, route.Number, status, code);
    }

    /// <summary>
    /// Ends a connection. What waits is reported now; what the NIC holds comes back flushed, folded into this cause, and then the queue
    /// pairs are destroyed. The first cause stays.
    /// </summary>
    private void FailConnection(VerbsConnection connection, FabricStatus status, int code, bool tellPeer = true)
    {
        if (connection.IsOver)
            return;
        bool wasKnown = connection.PeerEpoch != 0;
        connection.State = ConnectionState.Draining;
        connection.Cause = status;
        connection.CauseCode = code;
        connection.Due = Environment.TickCount64 + DrainMilliseconds;
        if (!_unsettled.Contains(connection))
            _unsettled.Add(connection);
        connection.Data.Fail();
        connection.Control.Fail();
        if (connection.Nic.Current == connection)
            connection.Nic.Current = null;
        EndWaiting(connection, -1, status is FabricStatus.RouteDown or FabricStatus.NicDown ? status : FabricStatus.Flushed, code);
        foreach (VerbsRevocation revocation in connection.Revocations)
            revocation.Unanswered.Remove(connection);
        connection.Revocations.Clear();
        _owedAnswers -= connection.OwedAnswers;
        connection.OwedAnswers = 0;
        for (int i = 0; i < _routeCount; i++)
        {
            if (_routes[i] is { } route && route.Connection == connection)
                FailRoute(route, status, code);
        }

        if (tellPeer && wasKnown)
            SendReset(connection.Nic, connection.PeerEpoch, $"{VerbsErrors.Text(code)} ({code})");
        DestroyIfDrained(connection);
    }

    private void DestroyIfDrained(VerbsConnection connection)
    {
        if (connection.State == ConnectionState.Draining && connection.Posted.IsEmpty && connection.ControlRequests == 0)
            Doom(connection);
    }

    private void Doom(VerbsConnection connection)
    {
        if (!_doomed.Contains(connection))
            _doomed.Add(connection);
    }

    /// <summary>Destroys the first so many: the completion queue was empty after they had failed.</summary>
    private void DestroyDoomed(int count)
    {
        // Each takes itself out of the list.
        for (int i = Math.Min(count, _doomed.Count) - 1; i >= 0; i--)
            Destroy(_doomed[i]);
    }

    /// <summary>Destroys the queue pairs of a connection that is over, and reports what the NIC had not given back: it does not touch it any more.</summary>
    private void Destroy(VerbsConnection connection)
    {
        if (connection.State == ConnectionState.Gone)
            return;
        connection.State = ConnectionState.Gone;
        _doomed.Remove(connection);
        _byQueuePair.Remove(connection.Data.Number);
        _byQueuePair.Remove(connection.Control.Number);
        _lastConnection = null;
        connection.Data.Dispose();
        connection.Control.Dispose();
        _connections.Remove(connection);
        _unsettled.Remove(connection);
        while (!connection.Posted.IsEmpty)
            EndWrite(_writes.TakeFirst(ref connection.Posted), connection.Cause, connection.CauseCode);
        for (int i = 0; i < _sends.Count; i++)
        {
            if (_sends[i].Owner == connection)
                EndMessage(i, connection.Cause, connection.CauseCode);
        }

        connection.WaitingMessages.Clear();
    }

    /// <summary>Reports what waits on a connection: all of it, or one route's.</summary>
    private void EndWaiting(VerbsConnection connection, int route, FabricStatus status, int code)
    {
        SlotList kept = SlotList.Empty;
        while (!connection.Waiting.IsEmpty)
        {
            int slot = _writes.TakeFirst(ref connection.Waiting);
            if (route >= 0 && _writes[slot]->Route != route)
                _writes.Append(ref kept, slot);
            else
                EndWrite(slot, status, code);
        }

        connection.Waiting = kept;
        for (int left = connection.WaitingMessages.Count; left > 0; left--)
        {
            int slot = connection.WaitingMessages.Dequeue();
            if (route >= 0 && _sends[slot].Route != route)
                connection.WaitingMessages.Enqueue(slot);
            else
                EndMessage(slot, status, code);
        }
    }

    private bool IsPortActive()
    {
        ibv_port_attr attributes = default;
        return Imports.ibv_query_port(_nic.Context, _nic.Port.Number, &attributes) == 0 && attributes.state == IBV.IBV_PORT_ACTIVE;
    }
}
