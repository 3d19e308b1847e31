using System.Security.Cryptography;
using System.Text;
using Garden.Fabric;

namespace Garden;

/// <summary>Hello, acceptance and refusal.</summary>
internal sealed unsafe partial class Worker
{
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
        GardenLog.PeerReady(_logger, peer.Address, peer.Epoch, peer.LaneCount);
        _engine.OnPeerReady(peer);
    }
}
