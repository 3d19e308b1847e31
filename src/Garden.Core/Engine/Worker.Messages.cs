using System.Buffers;
using System.Collections.Concurrent;
using Garden.Fabric;

namespace Garden;

/// <summary>The control queue: messages out and in. It has turns of its own, so bulk data does not delay it.</summary>
internal sealed unsafe partial class Worker
{
    private readonly ConcurrentQueue<OutgoingMessage> _outgoing = new();
    private readonly List<Peer> _outboxes = [];
    private readonly int _maxMessageLength;
    private readonly long _maxWriteLength;
    private int _queuedMessages;

    public int MaxUserMessageLength => _maxMessageLength - ControlHeader.Length;

    /// <summary>Any thread: queues a message; false when too many wait.</summary>
    public bool TryQueue(Peer peer, ushort channel, ReadOnlySpan<byte> body, int source, TimeSpan? deadline = null)
    {
        if (Interlocked.Increment(ref _queuedMessages) > _options.MaxQueuedMessages)
        {
            Interlocked.Decrement(ref _queuedMessages);
            return false;
        }

        _outgoing.Enqueue(OutgoingMessage.Create(peer, ControlKind.User, channel, body, source, deadline ?? _options.TransferDeadline));
        // Seen by the worker's last look, or by this one.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _ended))
        {
            while (_outgoing.TryDequeue(out OutgoingMessage late))
                EndMessage(late, new ObjectDisposedException(nameof(TransferEngine)));
        }

        _parker.Wake();
        return true;
    }

    public void EnqueueAbort(Peer peer, Immediate immediate, string reason) => Enqueue(() => SendAbort(peer, immediate, reason), null);

    private void Queue(Peer peer, ControlKind kind, ReadOnlySpan<byte> body)
    {
        Interlocked.Increment(ref _queuedMessages);
        AddToOutbox(OutgoingMessage.Create(peer, kind, 0, body, -1, _options.TransferDeadline));
    }

    private void AddToOutbox(in OutgoingMessage message)
    {
        if (message.Peer.Outbox.Count == 0)
            _outboxes.Add(message.Peer);
        message.Peer.Outbox.Enqueue(message);
    }

    private bool FlushMessages()
    {
        // In the outboxes or on their way there.
        if (Volatile.Read(ref _queuedMessages) == 0)
            return false;
        while (_outgoing.TryDequeue(out OutgoingMessage message))
            AddToOutbox(message);
        bool worked = false;
        for (int i = _outboxes.Count - 1; i >= 0; i--)
        {
            Peer peer = _outboxes[i];
            worked |= FlushOutbox(peer);
            if (peer.Outbox.Count == 0)
                _outboxes.RemoveAt(i);
        }

        return worked;
    }

    private bool FlushOutbox(Peer peer)
    {
        bool worked = false;
        while (peer.Outbox.TryPeek(out OutgoingMessage message))
        {
            if (message.IsLate)
            {
                EndMessage(message, new TimeoutException($"A message to {peer.Address} waited past its deadline: the peer takes none now."));
            }
            else if (peer.State is PeerState.Failed or PeerState.Closed)
            {
                EndMessage(message, peer.Failure ?? new PeerFailedException(peer.Address, $"The peer {peer.Address} was closed."));
            }
            else
            {
                ulong context = message.Source < 0 ? 0 : (ulong)(uint)message.Source + 1;
                if (!TrySendNow(peer, message.Bytes, context))
                    return worked;
                if (message.Source >= 0)
                    _sending.Add(message.Source, peer);
                message.Return();
                Interlocked.Decrement(ref _queuedMessages);
                peer.LastSent = _now;
            }

            peer.Outbox.Dequeue();
            worked = true;
        }

        return worked;
    }

    private readonly Dictionary<int, Peer> _sending = [];

    private bool TrySendNow(Peer peer, ReadOnlySpan<byte> message, ulong context)
    {
        PeerEntry* entry = _peerEntries + peer.Index;
        for (int i = 0; i < entry->LaneCount; i++)
        {
            Lane* lane = LaneOf(entry, i);
            if (!lane->Alive)
                continue;
            Nic nic = _nics[lane->Nic];
            if (!nic.Domain.TrySend(lane->Route, message, context))
                continue;
            nic.Counters.MessagesSent++;
            return true;
        }

        return false;
    }

    private void EndMessage(in OutgoingMessage message, Exception failure)
    {
        if (message.Source >= 0)
            _engine.Sources[message.Source].Complete(default, failure);
        message.Return();
        Interlocked.Decrement(ref _queuedMessages);
    }

    private void CompleteMessage(Nic nic, FabricCompletion* completion)
    {
        int source = (int)completion->Context - 1;
        if (completion->Context == 0 || !_sending.Remove(source, out Peer? peer))
        {
            if (completion->Status != FabricStatus.Ok)
                DropMessage($"one that was sent without waiting ended as {completion->Status}");
            return;
        }

        _engine.Sources[source].Complete(default, completion->Status == FabricStatus.Ok ? null : FailureOf(peer, nic, completion));
    }

    private static Exception FailureOf(Peer peer, Nic nic, FabricCompletion* completion)
    {
        if (peer.Failure is { } known)
            return known;
        var failure = new FabricException(
            $"A message to {peer.Address} over NIC {nic.Domain.Address} ended as {completion->Status}: {nic.Domain.Explain(completion->Status, completion->ProviderCode)}",
            completion->Status,
            completion->ProviderCode);
        // Its messages are reported before the route itself; the peer's state follows.
        return completion->Status == FabricStatus.RouteDown ? new PeerFailedException(peer.Address, failure.Message, failure) : failure;
    }

    private void Receive(Nic nic, FabricCompletion* completion)
    {
        try
        {
            // Safe: the domain keeps the message's bytes until ReturnMessage.
            var message = new ReadOnlySpan<byte>((void*)completion->Message, completion->MessageLength);
            if (ControlHeader.TryParse(message, out ControlHeader header))
                Dispatch(header, message[ControlHeader.Length..], nic);
            else
                DropMessage($"{message.Length} bytes without a Garden header");
        }
        catch (Exception exception)
        {
            // What a peer sends must not fault this engine, whatever it makes the code behind here do.
            DropMessage($"{completion->MessageLength} bytes that could not be handled: {exception.Message}");
        }
        finally
        {
            nic.Domain.ReturnMessage(in *completion);
        }
    }

    private void Dispatch(in ControlHeader header, ReadOnlySpan<byte> body, Nic nic)
    {
        if (header.Kind == ControlKind.Hello)
        {
            ReceiveHello(header, body, nic);
            return;
        }

        Peer? peer = header.Peer < (uint)_peers.Length ? _peers[header.Peer] : null;
        if (peer is null || peer.Session != header.Session || peer.State is PeerState.Failed or PeerState.Closed)
        {
            if (header.Kind == ControlKind.Accept)
                DisownAccept(body, nic);
            DropMessage($"{header.Kind} for peer {header.Peer}, which is not (or no longer) this connection");
            return;
        }

        peer.LastHeard = Timestamp();
        switch (header.Kind)
        {
            case ControlKind.Accept:
                ReceiveAccept(peer, body);
                break;
            case ControlKind.Refuse:
                EndPeer(peer, PeerState.Failed, $"The peer {peer.Address} refused the connection: {System.Text.Encoding.UTF8.GetString(body)}");
                break;
            case ControlKind.Heartbeat:
                break;
            case ControlKind.Goodbye:
                EndPeer(peer, PeerState.Closed, $"The peer {peer.Address} said goodbye.");
                break;
            case ControlKind.Abort:
                ReceiveAbort(peer, body);
                break;
            case ControlKind.User:
                _engine.Channels.Deliver(peer, header.Channel, body);
                break;
            default:
                DropMessage($"unknown kind {(byte)header.Kind} from {peer.Address}");
                break;
        }
    }

    private void SendAbort(Peer peer, Immediate immediate, string reason)
    {
        Span<byte> body = stackalloc byte[4 + 256];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(body, immediate.Value);
        System.Text.Encoding.UTF8.TryGetBytes(reason.AsSpan(0, Math.Min(reason.Length, 64)), body[4..], out int written);
        Queue(peer, ControlKind.Abort, body[..(4 + written)]);
    }

    private void ReceiveAbort(Peer peer, ReadOnlySpan<byte> body)
    {
        if (body.Length < 4)
        {
            DropMessage("an abort notice without an immediate");
            return;
        }

        var immediate = Immediate.FromBits(System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(body));
        string reason = System.Text.Encoding.UTF8.GetString(body[4..]);
        _engine.PoisonCounter(peer, immediate, new TransferAbortedException($"The sender gave up a transfer for {immediate}: {reason}"));
    }

    private void DropMessage(string reason)
    {
        _engine.CountDroppedMessage();
        GardenLog.MessageDropped(_logger, reason);
    }
}
