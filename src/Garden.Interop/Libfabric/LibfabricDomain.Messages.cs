using System.Buffers.Binary;
using Garden.Fabric;
using Garden.Interop.Libfabric.Native;

namespace Garden.Interop.Libfabric;

/// <summary>Messages: out in slots, in through posted buffers, acknowledged when a buffer is free again.</summary>
internal sealed unsafe partial class LibfabricDomain
{
    private readonly Queue<(PeerNic Peer, uint Token, long Until)> _acknowledgements = new();
    private readonly Queue<int> _unposted = new();

    /// <summary>Messages one route may have under way: a peer that takes none does not use up the slots of the others.</summary>
    private int MessageWindow => Math.Max(1, _tuning.MessageDepth / 4);

    /// <inheritdoc/>
    public bool TrySend(int route, ReadOnlySpan<byte> message, ulong context)
    {
        if (message.Length > _tuning.MaxMessageLength)
            throw new ArgumentException($"A message has at most {_tuning.MaxMessageLength} bytes here (LibfabricTuning.MaxMessageLength); got {message.Length}.", nameof(message));
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            LibfabricRoute? open = FindRoute(route);
            if (open is null || open.HasFailed || _failed)
                return TryRefuse(_failed ? FabricStatus.NicDown : FabricStatus.RouteDown, 0);
            if (message.Length > open.Peer.Address.MaxMessageLength)
                return TryRefuse(FabricStatus.ProviderError, FI.FI_EMSGSIZE);
            return open.Unacknowledged < MessageWindow && TryStart(FrameKind.Message, open, message, context);
        }

        bool TryRefuse(FabricStatus status, int code)
        {
            if (_backlog.Count >= _tuning.QueueDepth + _tuning.MessageDepth)
                return false;
            Report(FabricCompletionKind.MessageSent, context, route, status, code);
            return true;
        }
    }

    /// <inheritdoc/>
    public void ReturnMessage(in FabricCompletion message)
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            int index = (int)message.MessageToken;
            if ((uint)index >= (uint)_receives.Count || !_receives[index].IsLent)
                throw new InvalidOperationException($"Message buffer {message.MessageToken} is not lent out; give each message back once, to the domain that reported it.");
            ref ReceiveBuffers.Buffer buffer = ref _receives[index];
            buffer.IsLent = false;
            PeerNic? sender = buffer.Sender;
            uint token = buffer.Token;
            buffer.Sender = null;
            if (_failed)
                return;
            PostReceive(index);
            if (sender is null)
                return;
            Acknowledge(sender, token);
            Unreference(sender);
        }
    }

    private bool TryStart(FrameKind kind, LibfabricRoute route, ReadOnlySpan<byte> message, ulong context, Revocation? revocation = null)
    {
        int slot = _messages.TryTake(route, context);
        if (slot < 0)
            return false;
        byte* buffer = _messages.BufferOf(slot);
        int header = MessageFrame.HeaderLength + _addressBytes.Length;
        // Safe: a buffer has room for the header, the longest address and the longest message.
        new MessageFrame(kind, _addressBytes.Length, _messages.TokenOf(slot), _id).Write(new Span<byte>(buffer, MessageFrame.HeaderLength));
        _addressBytes.CopyTo(new Span<byte>(buffer + MessageFrame.HeaderLength, _addressBytes.Length));
        message.CopyTo(new Span<byte>(buffer + header, message.Length));
        _messages[slot].Length = header + message.Length;
        _messages[slot].IsTold = kind != FrameKind.Message;
        _messages[slot].Revocation = revocation;
        revocation?.Unanswered.Add(route.Peer);
        route.Unacknowledged++;
        if (route.WaitingMessages.Count == 0 && TryHandOver(slot, route))
            return true;
        route.WaitingMessages.Enqueue(slot);
        Wait(route);
        return true;
    }

    /// <summary>Hands a message to the provider; false when it takes none now. One it refuses for good is reported here.</summary>
    private bool TryHandOver(int slot, LibfabricRoute route)
    {
        ref MessageSlots.Slot message = ref _messages[slot];
        var range = new iovec { iov_base = _messages.BufferOf(slot), iov_len = (nuint)message.Length };
        void* descriptor = _messageDescriptor;
        var arguments = new fi_msg
        {
            msg_iov = &range,
            desc = &descriptor,
            iov_count = 1,
            addr = route.Peer.FiAddress,
            context = _messages.ContextOf(slot),
        };
        nint result = Calls.fi_sendmsg(_nic.Ep, &arguments, FI.FI_COMPLETION);
        if (result == -FI.FI_EAGAIN)
            return false;
        if (result == 0)
        {
            message.IsWithProvider = true;
            route.Peer.InFlight++;
        }
        else
        {
            EndMessage(slot, LibfabricErrors.StatusOf((int)-result), (int)-result);
        }

        return true;
    }

    private bool FlushMessages(LibfabricRoute route)
    {
        while (route.WaitingMessages.TryPeek(out int slot))
        {
            if (!TryHandOver(slot, route))
                return false;
            route.WaitingMessages.Dequeue();
        }

        return true;
    }

    /// <summary>Tells of a message's end, once.</summary>
    private void EndMessage(int slot, FabricStatus status, int code)
    {
        ref MessageSlots.Slot message = ref _messages[slot];
        if (!message.IsOpen)
        {
            _messages.ReturnIfDone(slot);
            return;
        }

        message.IsOpen = false;
        message.Route!.Unacknowledged--;
        message.Revocation?.Unanswered.Remove(message.Route.Peer);
        if (!message.IsTold)
            Report(FabricCompletionKind.MessageSent, message.Context, message.Route.Index, status, code);
        _messages.ReturnIfDone(slot);
    }

    /// <summary>The provider is done with a message; the receiver may not be.</summary>
    private void EndHandOver(int slot, int code)
    {
        PeerNic peer = _messages[slot].Route!.Peer;
        _messages[slot].IsWithProvider = false;
        peer.InFlight--;
        peer.Ended++;
        if (code != 0)
            EndMessage(slot, LibfabricErrors.StatusOf(code), code);
        else
            _messages.ReturnIfDone(slot);
        if (peer.References == 0)
            ForgetIfUnused(peer);
    }

    private void PostReceive(int index)
    {
        if (_failed)
            return;
        int code = TryPostReceive(index);
        if (code == FI.FI_EAGAIN)
            _unposted.Enqueue(index);
        else if (code != 0)
            FailFromPoll(code);
    }

    private int TryPostReceive(int index) =>
        (int)-Calls.fi_recv(_nic.Ep, _receives.BufferOf(index), (nuint)_receives.Length, _receiveDescriptor, _receives.ContextOf(index));

    /// <summary>Something came for this NIC. True, and a completion, when it is a message for the engine.</summary>
    private bool TryReceive(int index, int length, out FabricCompletion completion)
    {
        completion = default;
        byte* buffer = _receives.BufferOf(index);
        // Safe: the provider has filled that many bytes of the buffer.
        var bytes = new ReadOnlySpan<byte>(buffer, Math.Min(length, _receives.Length));
        if (!MessageFrame.TryParse(bytes, out MessageFrame frame))
        {
            PostReceive(index);
            return false;
        }

        if (frame.Kind == FrameKind.Acknowledgement)
        {
            int slot = _messages.Find(frame.Token);
            if (slot >= 0)
            {
                _messages[slot].Route!.Peer.Ended++;
                EndMessage(slot, FabricStatus.Ok, 0);
            }

            PostReceive(index);
            return false;
        }

        PeerNic? sender = FindSender(in frame, bytes.Slice(MessageFrame.HeaderLength, frame.AddressLength));
        if (frame.Kind != FrameKind.Message)
        {
            ReadOnlySpan<byte> content = bytes[(MessageFrame.HeaderLength + frame.AddressLength)..];
            if (frame.Kind == FrameKind.Revocation && content.Length == sizeof(ulong))
                sender?.Revoke(BinaryPrimitives.ReadUInt64LittleEndian(content));
            if (sender is not null)
                Acknowledge(sender, frame.Token);
            PostReceive(index);
            return false;
        }

        ref ReceiveBuffers.Buffer state = ref _receives[index];
        state.IsLent = true;
        state.Sender = sender;
        // Who waits for an answer is not forgotten before it has one.
        if (sender is not null)
            sender.References++;
        state.Token = frame.Token;
        int header = MessageFrame.HeaderLength + frame.AddressLength;
        completion.Kind = FabricCompletionKind.Message;
        completion.Route = -1;
        completion.Count = 1;
        completion.Message = (nint)(buffer + header);
        completion.MessageLength = bytes.Length - header;
        completion.MessageToken = index;
        return true;
    }

    private void Acknowledge(PeerNic peer, uint token)
    {
        if (_acknowledgements.Count == 0 && TryAcknowledge(peer, token))
            return;
        peer.References++;
        _acknowledgements.Enqueue((peer, token, Environment.TickCount64 + (long)_tuning.RouteTimeout.TotalMilliseconds));
    }

    private bool TryAcknowledge(PeerNic peer, uint token)
    {
        if (peer.IsGone || _failed)
            return true;
        byte* header = stackalloc byte[MessageFrame.HeaderLength];
        new MessageFrame(FrameKind.Acknowledgement, 0, token, _id).Write(new Span<byte>(header, MessageFrame.HeaderLength));
        // An error that is not back-pressure is the peer's end; its messages end with its routes there.
        return Calls.fi_inject(_nic.Ep, header, MessageFrame.HeaderLength, peer.FiAddress) != -FI.FI_EAGAIN;
    }

    private void FlushAcknowledgements()
    {
        for (int left = _acknowledgements.Count; left > 0; left--)
        {
            (PeerNic peer, uint token, long until) = _acknowledgements.Dequeue();
            if (!TryAcknowledge(peer, token) && Environment.TickCount64 < until)
                _acknowledgements.Enqueue((peer, token, until));
            else
                Unreference(peer);
        }

        for (int left = _unposted.Count; left > 0; left--)
            PostReceive(_unposted.Dequeue());
    }
}
