using System.Security.Cryptography;
using System.Text;
using Garden.Fabric;

namespace Garden;

/// <summary>Connections: hello, acceptance, heartbeats, failure and goodbye.</summary>
internal sealed unsafe partial class Worker
{
    private readonly Peer?[] _peers;
    private readonly Queue<int> _endedPeers = new();
    private readonly Dictionary<string, int> _epochs = [];
    private readonly List<Connecting> _connecting = [];
    private int _peersUsed;
    private long _nextPeerCheck = long.MaxValue;

    /// <summary>Any thread: connects to a device of another engine.</summary>
    public Task<Peer> ConnectAsync(NetAddress address, TimeSpan deadline)
    {
        var done = new TaskCompletionSource<Peer>(TaskCreationOptions.RunContinuationsAsynchronously);
        bool queued = Enqueue(
            () =>
            {
                try
                {
                    BeginConnect(address, deadline, done);
                }
                catch (Exception exception)
                {
                    done.TrySetException(exception);
                }
            },
            exception => done.TrySetException(exception));
        return queued ? done.Task : throw new ObjectDisposedException(nameof(TransferEngine));
    }

    /// <summary>Any thread: ends a connection; one whose worker has ended is closed already.</summary>
    public ValueTask CloseAsync(Peer peer)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        bool queued = Enqueue(
            () =>
            {
                SayGoodbye(peer);
                done.TrySetResult();
            },
            _ => done.TrySetResult());
        return queued ? new ValueTask(done.Task) : ValueTask.CompletedTask;
    }

    public void SayGoodbyeToAll() => Enqueue(() =>
    {
        for (int i = 0; i < _peersUsed; i++)
        {
            if (_peers[i] is { } peer)
                SayGoodbye(peer);
        }
    });

    public void Fail(Peer peer, string reason) => Enqueue(() => FailPeer(peer, reason));

    private void SayGoodbye(Peer peer)
    {
        if (peer.State == PeerState.Ready)
        {
            Queue(peer, ControlKind.Goodbye, []);
            FlushMessages();
        }

        EndPeer(peer, PeerState.Closed, $"The connection to {peer.Address} was closed here.");
    }

    private void BeginConnect(NetAddress address, TimeSpan deadline, TaskCompletionSource<Peer> done)
    {
        if (address.Fabric != Address.Fabric)
            throw new FabricException($"{address} is an address of fabric \"{address.Fabric}\"; device {Device} has \"{Address.Fabric}\" ({Address}). Build the engine with that fabric to reach it.");
        int helloLength = ControlHeader.Length + new HelloBody(0, 0, 0, Address.ToString(), _options.SharedSecret).ToBytes().Length;
        if (helloLength > _maxMessageLength)
            throw new FabricException($"A hello of this device has {helloLength} bytes, its NICs take messages of {_maxMessageLength}; shorten TransferEngineOptions.SharedSecret.");
        Peer peer = AddPeer(address);
        var attempt = new Connecting(peer, done, Timestamp() + Ticks(deadline), deadline);
        _connecting.Add(attempt);
        SendHello(attempt);
    }

    private Peer AddPeer(NetAddress address)
    {
        int index = TakePeerIndex();
        int epoch = _epochs[address.ToString()] = _epochs.GetValueOrDefault(address.ToString()) + 1;
        var peer = new Peer(_engine, this, index, address, RandomSession(), epoch)
        {
            LaneCount = NicSharding.LaneCount(_nics.Length, address.Nics.Count),
            LastHeard = Timestamp(),
            RemoteIndex = ControlHeader.NoPeer,
        };
        PeerEntry* entry = _peerEntries + index;
        *entry = default;
        entry->QueueHead = entry->QueueTail = -1;
        entry->LaneCount = peer.LaneCount;
        try
        {
            for (int i = 0; i < peer.LaneCount; i++)
            {
                (int local, int remote) = NicSharding.Lane(i, _nics.Length, address.Nics.Count);
                LaneOf(entry, i)->Nic = local;
                LaneOf(entry, i)->RemoteNic = remote;
                OpenLane(peer, i);
            }

            peer.SignalRegion = _engine.Regions.Add(RegionState.Remote, index, Device, 0, default, default);
        }
        catch
        {
            // As if it had never been tried: routes closed, place free.
            for (int i = 0; i < peer.LaneCount; i++)
                CloseLane(LaneOf(entry, i), fence: false);
            _peers[index] = null;
            _endedPeers.Enqueue(index);
            throw;
        }

        Volatile.Write(ref _peers[index], peer);
        _nextPeerCheck = Math.Min(_nextPeerCheck, Timestamp());
        return peer;
    }

    private int TakePeerIndex()
    {
        // An ended peer's place is free once nothing posted to it is left.
        for (int round = _endedPeers.Count; round > 0; round--)
        {
            int index = _endedPeers.Dequeue();
            if (OutstandingTo(index) == 0 && !_peerEntries[index].Queued)
                return index;
            _endedPeers.Enqueue(index);
        }

        if (_peersUsed == _peers.Length)
            throw new InvalidOperationException($"Device {Device} has {_peers.Length} peers already; close some or raise TransferEngineOptions.MaxPeers.");
        return _peersUsed++;
    }

    private int OutstandingTo(int index)
    {
        int outstanding = 0;
        for (int i = 0; i < _peerEntries[index].LaneCount; i++)
            outstanding += LaneOf(_peerEntries + index, i)->Outstanding;
        return outstanding;
    }

    private void SendHello(Connecting attempt)
    {
        Peer peer = attempt.Peer;
        byte[] body = new HelloBody((uint)peer.Index, peer.Session, _engine.Id, Address.ToString(), _options.SharedSecret).ToBytes();
        byte[] message = new byte[ControlHeader.Length + body.Length];
        new ControlHeader(ControlHeader.ProtocolVersion, ControlKind.Hello, ControlHeader.NoPeer, 0, 0).Write(message);
        body.CopyTo(message, ControlHeader.Length);
        PeerEntry* entry = _peerEntries + peer.Index;
        // Each try takes another lane: one dead NIC on either side does not keep two engines apart.
        Lane* lane = LaneOf(entry, attempt.Tries % entry->LaneCount);
        if (lane->Alive && _nics[lane->Nic].Domain.TrySend(lane->Route, message, 0))
            _nics[lane->Nic].Counters.MessagesSent++;
        attempt.Tries++;
        attempt.NextTry = Timestamp() + Ticks(TimeSpan.FromMilliseconds(Math.Min(20 << Math.Min(attempt.Tries, 4), 200)));
        _nextPeerCheck = Math.Min(_nextPeerCheck, attempt.NextTry);
    }

    private void ReceiveHello(in ControlHeader header, ReadOnlySpan<byte> bytes, Nic nic)
    {
        if (HelloBody.TryParse(bytes) is not { } hello || !NetAddress.TryParse(hello.Address, null, out NetAddress? address) || address.Fabric != Address.Fabric)
        {
            DropMessage($"a hello of {bytes.Length} bytes that does not parse");
            return;
        }

        if (header.Version != ControlHeader.ProtocolVersion)
        {
            Refuse(hello, address, nic, $"protocol version {header.Version} is not {ControlHeader.ProtocolVersion}; use the same Garden version on both sides");
            return;
        }

        // A repeated hello (its answer was lost or late) gets the same answer again.
        foreach (Peer? known in _peers.AsSpan(0, _peersUsed))
        {
            if (known is { State: PeerState.Ready } && known.EngineId == hello.EngineId && known.HelloSession == hello.Session)
            {
                SendAccept(known);
                return;
            }
        }

        if (!CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(hello.Secret), Encoding.UTF8.GetBytes(_options.SharedSecret)))
        {
            Refuse(hello, address, nic, "the shared secret is wrong; set TransferEngineOptions.SharedSecret alike on both sides");
            return;
        }

        if (_options.Admit is { } admit && !admit(address))
        {
            Refuse(hello, address, nic, $"{address} is not on the list of admitted peers");
            return;
        }

        // Another engine at an address known before: the old one is gone, and nothing of it may land any more.
        foreach (Peer? known in _peers.AsSpan(0, _peersUsed).ToArray())
        {
            if (known is { State: PeerState.Ready } && known.EngineId != hello.EngineId && known.Address.Equals(address))
                FailPeer(known, $"The engine at {address} was replaced: {known.EngineId:x16} is gone, {hello.EngineId:x16} said hello.");
        }

        Peer peer;
        try
        {
            peer = AddPeer(address);
        }
        catch (Exception exception)
        {
            Refuse(hello, address, nic, exception.Message);
            return;
        }

        peer.EngineId = hello.EngineId;
        peer.HelloSession = hello.Session;
        peer.RemoteIndex = hello.PeerIndex;
        peer.RemoteSession = hello.Session;
        BecomeReady(peer);
        SendAccept(peer);
    }

    private void SendAccept(Peer peer) =>
        Queue(peer, ControlKind.Accept, new HelloBody((uint)peer.Index, peer.Session, _engine.Id, Address.ToString(), "").ToBytes());

    private void Refuse(HelloBody hello, NetAddress address, Nic nic, string reason)
    {
        DropMessage($"hello of {address}: {reason}");
        // Best effort: the other side repeats its hello until it hears something.
        SendOnce(nic, address, ControlKind.Refuse, hello, Encoding.UTF8.GetBytes(reason));
    }

    /// <summary>One message to somebody who is no peer. An address that the fabric refuses gets none.</summary>
    private void SendOnce(Nic nic, NetAddress address, ControlKind kind, HelloBody to, ReadOnlySpan<byte> body)
    {
        byte[] message = new byte[Math.Min(_maxMessageLength, ControlHeader.Length + body.Length)];
        new ControlHeader(ControlHeader.ProtocolVersion, kind, to.PeerIndex, to.Session, 0).Write(message);
        body[..(message.Length - ControlHeader.Length)].CopyTo(message.AsSpan(ControlHeader.Length));
        try
        {
            int route = nic.Domain.OpenRoute(address.Nics[0]);
            nic.Domain.TrySend(route, message, 0);
            nic.Domain.CloseRoute(route);
        }
        catch (DescriptorException exception)
        {
            DropMessage($"a {kind} to {address}: {exception.Message}");
        }
    }

    /// <summary>The other side accepted a connection that this side has given up: it is told, instead of finding out by silence.</summary>
    private void DisownAccept(ReadOnlySpan<byte> bytes, Nic nic)
    {
        if (HelloBody.TryParse(bytes) is { } accept && NetAddress.TryParse(accept.Address, null, out NetAddress? address) && address.Fabric == Address.Fabric)
            SendOnce(nic, address, ControlKind.Goodbye, accept, []);
    }

    private void ReceiveAccept(Peer peer, ReadOnlySpan<byte> bytes)
    {
        if (peer.State != PeerState.Connecting || HelloBody.TryParse(bytes) is not { } accept)
            return;
        peer.EngineId = accept.EngineId;
        peer.RemoteIndex = accept.PeerIndex;
        peer.RemoteSession = accept.Session;
        BecomeReady(peer);
        int index = _connecting.FindIndex(attempt => attempt.Peer == peer);
        if (index < 0)
            return;
        TaskCompletionSource<Peer> done = _connecting[index].Done;
        _connecting.RemoveAt(index);
        done.TrySetResult(peer);
    }

    private void BecomeReady(Peer peer)
    {
        peer.TrySetState(PeerState.Ready);
        _peerEntries[peer.Index].Ready = true;
        GardenLog.PeerReady(_logger, peer.Address, peer.Epoch, peer.LaneCount);
        _engine.OnPeerReady(peer);
    }

    private void FailPeer(Peer peer, string reason) => EndPeer(peer, PeerState.Failed, reason);

    /// <summary>
    /// Ends a connection: its operations fail with its name, its counters are poisoned, its regions are stale, and the fabric
    /// lets nothing of it land any more.
    /// </summary>
    private void EndPeer(Peer peer, PeerState state, string reason)
    {
        var failure = new PeerFailedException(peer.Address, reason);
        bool fence = state == PeerState.Failed && MayFence(peer);
        if (!peer.TrySetState(state, failure))
            return;
        if (state == PeerState.Failed)
            GardenLog.PeerFailed(_logger, peer.Address, reason);
        int connecting = _connecting.FindIndex(attempt => attempt.Peer == peer);
        if (connecting >= 0)
        {
            _connecting[connecting].Done.TrySetException(failure);
            _connecting.RemoveAt(connecting);
        }

        PeerEntry* entry = _peerEntries + peer.Index;
        entry->Ready = false;
        for (int i = 0; i < entry->LaneCount; i++)
            CloseLane(LaneOf(entry, i), fence);
        for (int i = 0; i < _records.Used; i++)
        {
            if ((_records[i]->Flags & TransferFlags.InUse) != 0 && _records[i]->Peer == peer.Index)
                Fail(i, _records[i], failure);
        }

        FlushOutbox(peer);
        _engine.Regions.RemovePeer(peer.Index, Device);
        _endedPeers.Enqueue(peer.Index);
        _engine.OnPeerEnded(peer, failure);
    }

    private void CheckPeers()
    {
        long interval = Ticks(_options.HeartbeatInterval);
        // Never below ten times the longest pause seen: a collection here is not a death there.
        long silence = Math.Max(interval * _options.MissedHeartbeats, 10 * _longestPause);
        _nextPeerCheck = _peersUsed == 0 ? long.MaxValue : _now + (interval / 2);
        for (int i = _connecting.Count - 1; i >= 0; i--)
        {
            Connecting attempt = _connecting[i];
            if (attempt.Deadline <= _now)
                FailPeer(attempt.Peer, $"The peer {attempt.Peer.Address} did not answer {attempt.Tries} hellos within {attempt.Allowed.TotalSeconds:0.###} s; is its engine running, and does it poll?");
            else if (attempt.NextTry <= _now)
                SendHello(attempt);
            else
                _nextPeerCheck = Math.Min(_nextPeerCheck, attempt.NextTry);
        }

        for (int i = 0; i < _peersUsed; i++)
        {
            if (_peers[i] is not { State: PeerState.Ready } peer)
                continue;
            if (_now - peer.LastHeard > silence)
            {
                FailPeer(peer, $"The peer {peer.Address} was silent for {(double)(_now - peer.LastHeard) / System.Diagnostics.Stopwatch.Frequency:0.0} s ({_options.MissedHeartbeats} heartbeats missed); it died, hangs or is cut off.");
            }
            else if (_now - peer.LastSent >= interval / 2)
            {
                peer.LastSent = _now;
                if (peer.Outbox.Count == 0)
                    Queue(peer, ControlKind.Heartbeat, []);
            }
        }
    }

    /// <summary>
    /// A fence ends all that the other NIC has open towards here: not for an attempt that never was a connection, and not while
    /// the same engine has another one that lives.
    /// </summary>
    private bool MayFence(Peer peer) =>
        peer.State == PeerState.Ready
        && !Array.Exists(_peers, other => other != peer && other is { State: PeerState.Ready } && other.EngineId == peer.EngineId);

    private void EndPeers(Exception cause)
    {
        for (int i = 0; i < _peersUsed; i++)
        {
            if (_peers[i] is not { } peer)
                continue;
            // Also of a peer whose own end was cut short by what ends the worker now.
            while (peer.Outbox.TryDequeue(out OutgoingMessage message))
                EndMessage(message, cause);
            peer.TrySetState(PeerState.Closed, new PeerFailedException(peer.Address, cause.Message, cause));
            _engine.OnPeerEnded(peer, peer.Failure!);
        }

        foreach (Connecting attempt in _connecting)
            attempt.Done.TrySetException(cause);
        _connecting.Clear();
        foreach (int source in _sending)
            _engine.Sources[source].Complete(default, cause);
        _sending.Clear();
        foreach (Quiesce quiesce in _quiesces)
            quiesce.Done.TrySetException(cause);
        _quiesces.Clear();
    }

    private static ulong RandomSession()
    {
        ulong session = 0;
        RandomNumberGenerator.Fill(new Span<byte>(&session, sizeof(ulong)));
        return session;
    }

    /// <summary>A connection attempt under way.</summary>
    private sealed class Connecting(Peer peer, TaskCompletionSource<Peer> done, long deadline, TimeSpan allowed)
    {
        public Peer Peer { get; } = peer;

        public TaskCompletionSource<Peer> Done { get; } = done;

        public long Deadline { get; } = deadline;

        public TimeSpan Allowed { get; } = allowed;

        public long NextTry { get; set; }

        public int Tries { get; set; }
    }
}
