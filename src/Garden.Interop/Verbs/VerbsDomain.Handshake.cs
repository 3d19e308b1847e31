using System.Diagnostics;
using System.Security.Cryptography;
using Garden.Fabric;
using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>How connections are made.</summary>
/// <remarks>
/// Both sides do the same, so that it makes no difference who began, or that both did. Each sends its offer (queue pairs, packet numbers, payload,
/// windows, its epoch) until it has seen the other one's epoch in an offer to it, by then settled. Whoever gets an offer connects its queue pairs;
/// an unsettled one is answered with its own. An epoch that the other side has passed is a late copy; a higher one replaces the connection. A datagram
/// that is lost is repeated, one that comes twice finds everything as it says.
/// </remarks>
internal sealed unsafe partial class VerbsDomain
{
    /// <summary>While so many remote NICs are known, those without a route and a connection are forgotten.</summary>
    private const int MostRemotes = 4096;

    private const int FirstRepeatMilliseconds = 20, LastRepeatMilliseconds = 320;

    private readonly Dictionary<string, RemoteNic> _remotes = [];
    private readonly Dictionary<uint, VerbsConnection> _byQueuePair = [];
    private readonly List<VerbsConnection> _connections = [];
    private readonly List<VerbsConnection> _unsettled = [];
    private uint _lastEpoch = (uint)RandomNumberGenerator.GetInt32(1, int.MaxValue);
    private string _lastReason = "";

    /// <summary>For tests: says of an arriving datagram that the wire has lost it.</summary>
    internal Func<ConnectionOffer, bool>? LosesDatagram { get; set; }

    private RemoteNic FindOrAddRemote(string text)
    {
        if (_remotes.TryGetValue(text, out RemoteNic? remote))
            return remote;
        VerbsAddress address = VerbsAddress.Parse(text);
        // One NIC, however its address is written.
        text = address.ToString();
        if (_remotes.TryGetValue(text, out remote))
            return remote;
        if (_remotes.Count >= MostRemotes)
        {
            // Those that were fenced out last: what they may still offer must be refused.
            bool withFenced = _remotes.Count >= 4 * MostRemotes;
            foreach (RemoteNic idle in _remotes.Values.Where(idle => idle.Routes == 0 && idle.Current is null && idle.PathState != PathState.Resolving && (withFenced || idle.Fence == 0)).ToArray())
            {
                FreePath(idle);
                _remotes.Remove(idle.Text);
            }
        }

        return _remotes[text] = new RemoteNic(text, address);
    }

    private VerbsConnection? TryConnect(RemoteNic remote)
    {
        // Those that are over have their places until the NIC has given back what they hold, but do not keep others out for that long.
        if (_connections.Count >= 2 * _options.MaxPeers || (_connections.Count(static connection => !connection.IsOver) >= _options.MaxPeers && !EvictIdle()))
            return null;
        QueuePair? data = null;
        try
        {
            data = new QueuePair(_nic, _nic.Immediates, _options.PeerQueueDepth, _options.SourcePieces, _options.InlineBytes);
            var control = new QueuePair(_nic, _nic.Messages, ControlDepth, 1, 0, takesWrites: false);
            long now = Environment.TickCount64;
            var connection = new VerbsConnection(remote, ++_lastEpoch, data, control) { Due = now, Deadline = now + (long)_options.ConnectTimeout.TotalMilliseconds };
            remote.Current = connection;
            _connections.Add(connection);
            _unsettled.Add(connection);
            _byQueuePair[data.Number] = connection;
            _byQueuePair[control.Number] = connection;
            Repeat(connection);
            return connection;
        }
        catch (FabricException exception)
        {
            data?.Dispose();
            _lastReason = exception.Message;
            return null;
        }
    }

    /// <summary>Ends a connection that nobody here has a route over, so that another one has its place.</summary>
    private bool EvictIdle()
    {
        VerbsConnection? idle = _connections.Find(static connection => connection.Routes == 0 && connection.IsReady && connection.Waiting.IsEmpty && connection.Posted.IsEmpty);
        if (idle is null)
            return false;
        FailConnection(idle, FabricStatus.RouteDown, VerbsErrors.TooManyPeers);
        return true;
    }

    /// <summary>Sends an offer, or looks for the path first.</summary>
    private void Repeat(VerbsConnection connection)
    {
        connection.Due = Environment.TickCount64 + Math.Min(FirstRepeatMilliseconds << Math.Min(connection.Offers, 8), LastRepeatMilliseconds);
        connection.Offers++;
        if (connection.Nic.PathState == PathState.Known)
            SendOffer(connection);
        else if (connection.Nic.PathState != PathState.Resolving)
            _paths.Begin(connection.Nic);
    }

    private void SendOffer(VerbsConnection connection) => _datagrams.Send(
        new ConnectionOffer
        {
            Kind = OfferKind.Offer,
            Address = Address,
            Epoch = connection.Epoch,
            PeerEpoch = connection.PeerEpoch,
            Fence = connection.Nic.Fence,
            KnownFence = connection.Nic.KnownFence,
            IsSettled = connection.IsReady,
            DataQueuePair = connection.Data.Number,
            DataPacket = connection.Data.FirstPacket,
            ControlQueuePair = connection.Control.Number,
            ControlPacket = connection.Control.FirstPacket,
            Mtu = _nic.Port.Mtu,
            ImmediateWindow = _options.ImmediateWindow,
            MessageWindow = _options.MessageWindow,
            MaxMessageLength = _options.MaxMessageLength,
        },
        connection.Nic.Path,
        connection.Nic.Address);

    /// <summary>Tells a remote NIC that its connection of an epoch is over here. Best effort: it finds out by itself as well.</summary>
    private void SendReset(RemoteNic remote, uint peerEpoch, string reason)
    {
        if (remote.PathState == PathState.Known && peerEpoch != 0)
            _datagrams.Send(new ConnectionOffer { Kind = OfferKind.Reset, Address = Address, PeerEpoch = peerEpoch, Fence = remote.Fence, Reason = reason }, remote.Path, remote.Address);
    }

    /// <summary>A connection datagram has come.</summary>
    private void Hear(ConnectionOffer offer, uint sender)
    {
        if (LosesDatagram?.Invoke(offer) == true)
            return;
        RemoteNic remote;
        try
        {
            remote = FindOrAddRemote(offer.Address);
        }
        catch (DescriptorException)
        {
            return;
        }

        // Whoever knows the key may send; nobody may speak for another.
        if (remote.Address.QueuePair != sender)
            return;
        if ((int)(offer.Fence - remote.KnownFence) > 0)
            HearFence(remote, offer);
        if (offer.Kind == OfferKind.Reset)
        {
            if (remote.Current is not { } ended || ended.Epoch != offer.PeerEpoch)
                return;
            _lastReason = offer.Reason;
            FailConnection(ended, FabricStatus.RouteDown, VerbsErrors.Reset, tellPeer: false);
        }
        else if (offer.Kind == OfferKind.Offer && offer.IsPlausible)
        {
            if (remote.PathState == PathState.Known)
            {
                Consider(remote, offer);
                return;
            }

            // The way back first; of several that come meanwhile the last one counts.
            remote.Unanswered = offer;
            if (remote.PathState != PathState.Resolving)
                _paths.Begin(remote);
        }
    }

    /// <summary>The other side has fenced this one out: every route to it that is open now is over.</summary>
    private void HearFence(RemoteNic remote, ConnectionOffer offer)
    {
        remote.KnownFence = offer.Fence;
        _lastReason = offer.Reason;
        if (remote.Current is { } fenced)
            FailConnection(fenced, FabricStatus.RouteDown, VerbsErrors.Reset, tellPeer: false);
        for (int i = 0; i < _routeCount; i++)
        {
            if (_routes[i] is { } route && route.Nic == remote)
                FailRoute(route, FabricStatus.RouteDown, VerbsErrors.Reset);
        }
    }

    private void Consider(RemoteNic remote, ConnectionOffer offer)
    {
        if (offer.KnownFence != remote.Fence)
        {
            SendReset(remote, offer.Epoch, VerbsErrors.Text(VerbsErrors.Fenced));
            return;
        }

        VerbsConnection? current = remote.Current;
        if (current is not null && current.PeerEpoch == offer.Epoch)
        {
            Settle(current, offer);
            return;
        }

        // What the other side has left behind, or a connection that this side has: a late copy, or one that hears of the end now.
        if (remote.LastEpoch != 0 && (int)(offer.Epoch - remote.LastEpoch) <= 0)
        {
            SendReset(remote, offer.Epoch, "that connection is over");
            return;
        }

        if (current is { PeerEpoch: not 0 })
        {
            FailConnection(current, FabricStatus.RouteDown, VerbsErrors.Replaced, tellPeer: false);
            current = null;
        }

        // It speaks of a connection that is not there any more.
        if (offer.PeerEpoch != 0 && offer.PeerEpoch != current?.Epoch)
        {
            SendReset(remote, offer.Epoch, "that connection is over");
            return;
        }

        current ??= TryConnect(remote);
        if (current is null)
        {
            SendReset(remote, offer.Epoch, $"all {_options.MaxPeers} connections of {_nic.Port} are in use (VerbsOptions.MaxPeers), or its device gives no more");
            return;
        }

        Answer(current, offer);
    }

    /// <summary>Connects the queue pairs to those of an offer.</summary>
    private void Answer(VerbsConnection connection, ConnectionOffer offer)
    {
        try
        {
            connection.Data.Connect(connection.Nic.Address, offer.DataQueuePair, offer.DataPacket, offer.Mtu, _options);
            connection.Control.Connect(connection.Nic.Address, offer.ControlQueuePair, offer.ControlPacket, offer.Mtu, _options);
        }
        catch (FabricException exception)
        {
            _lastReason = exception.Message;
            FailConnection(connection, FabricStatus.RouteDown, exception.ProviderCode);
            return;
        }

        connection.PeerEpoch = connection.Nic.LastEpoch = offer.Epoch;
        connection.ImmediateLimit = (uint)offer.ImmediateWindow;
        connection.MessageLimit = (uint)offer.MessageWindow;
        connection.MaxMessageLength = offer.MaxMessageLength;
        connection.State = ConnectionState.Answered;
        Settle(connection, offer);
    }

    /// <summary>An offer of the connection that is there: it may say that the other side knows this one.</summary>
    private void Settle(VerbsConnection connection, ConnectionOffer offer)
    {
        if (offer.PeerEpoch == connection.Epoch && connection.State == ConnectionState.Answered)
            BecomeReady(connection);
        // Being ready may have shown that it is over.
        if (!offer.IsSettled && !connection.IsOver)
            SendOffer(connection);
    }

    private void BecomeReady(VerbsConnection connection)
    {
        connection.State = ConnectionState.Ready;
        _unsettled.Remove(connection);
        FlushMessages(connection);
        FlushWrites(connection);
    }

    /// <summary>What is due, and what other threads have found out.</summary>
    private void Advance()
    {
        while (_paths.TryTake(out (RemoteNic Nic, nint Path, int Error) done))
        {
            done.Nic.PathState = done.Error == 0 ? PathState.Known : PathState.Failed;
            done.Nic.Path = (ibv_ah*)done.Path;
            done.Nic.PathError = done.Error;
            if (done.Error != 0)
                continue;
            if (done.Nic.Current is { State: ConnectionState.Offering } waiting)
                SendOffer(waiting);
            if (done.Nic.Unanswered is not { } offer)
                continue;
            done.Nic.Unanswered = null;
            Consider(done.Nic, offer);
        }

        if (_owing.Count != 0)
            TellCredits();
        for (int i = _connections.Count - 1; i >= 0 && _owedAnswers != 0; i--)
            AnswerRevocations(_connections[i]);
        if (_unsettled.Count == 0)
            return;
        long now = Environment.TickCount64;
        for (int i = _unsettled.Count - 1; i >= 0; i--)
        {
            // A connection that ends takes others from the list only by being destroyed itself.
            if (i >= _unsettled.Count)
                continue;
            VerbsConnection connection = _unsettled[i];
            if (connection.State == ConnectionState.Draining)
            {
                // The next read destroys it.
                if (now >= connection.Due)
                    Doom(connection);
            }
            else if (now >= connection.Deadline)
            {
                bool isUp = IsPortActive();
                int code = !isUp ? VerbsErrors.PortDown : connection.Nic.PathState == PathState.Known ? VerbsErrors.NoAnswer : VerbsErrors.NoPath;
                if (code == VerbsErrors.NoPath && connection.Nic.PathError != 0)
                    _lastReason = $"{VerbsErrors.Text(VerbsErrors.FirstErrno + connection.Nic.PathError)} ({connection.Nic.PathError})";
                FailConnection(connection, VerbsErrors.StatusOf(code), code);
                // It may have moved: the next attempt looks for the way again. A datagram under way still uses the old one.
                if (code == VerbsErrors.NoAnswer && _datagrams.IsIdle)
                    FreePath(connection.Nic);
            }
            else if (now >= connection.Due)
            {
                Repeat(connection);
            }
        }
    }

    /// <summary>When <see cref="Advance()"/> has something to do by itself, in <see cref="Stopwatch"/> ticks.</summary>
    private long NextDue()
    {
        if (_unsettled.Count == 0)
            return long.MaxValue;
        long due = long.MaxValue;
        foreach (VerbsConnection connection in _unsettled)
            due = Math.Min(due, connection.State == ConnectionState.Draining ? connection.Due : Math.Min(connection.Due, connection.Deadline));
        return Stopwatch.GetTimestamp() + (Math.Max(0, due - Environment.TickCount64) * Stopwatch.Frequency / 1000);
    }

    private static void FreePath(RemoteNic remote)
    {
        if (remote.Path is not null)
            _ = Imports.ibv_destroy_ah(remote.Path);
        remote.Path = null;
        remote.PathState = PathState.Unknown;
    }
}
