using System.Security.Cryptography;
using Garden.Fabric;

namespace Garden;

/// <summary>Connections: attempts, heartbeats, failure and goodbye.</summary>
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
        foreach (int source in _sending.Keys)
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
