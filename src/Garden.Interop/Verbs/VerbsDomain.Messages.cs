using Garden.Fabric;
using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>Messages and credits, on the control queue pairs.</summary>
internal sealed unsafe partial class VerbsDomain
{
    private readonly List<VerbsConnection> _owing = [];

    /// <summary>Requests a control queue holds: the messages of a window, and credits beside them.</summary>
    private int ControlDepth => _options.MessageWindow + (2 * ControlReserve);

    /// <inheritdoc/>
    public bool TrySend(int route, ReadOnlySpan<byte> message, ulong context)
    {
        if (message.Length > _options.MaxMessageLength)
            throw new ArgumentException($"A message has at most {_options.MaxMessageLength} bytes here (VerbsOptions.MaxMessageLength); got {message.Length}.", nameof(message));
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            FabricStatus status = Check(default, FindRoute(route), out VerbsConnection? connection, out int code);
            if (status != FabricStatus.Ok)
            {
                if (_backlog.Count >= _options.QueueDepth + MessageSlots)
                    return false;
                Report(FabricCompletionKind.MessageSent, context, route, status, code);
                return true;
            }

            return connection!.WaitingMessages.Count < _options.MessageWindow
                && connection.WaitingMessages.Count + connection.ControlRequests < MessageSlots / 4
                && TryStart(ControlFrameKind.Message, connection, route, message, context);
        }
    }

    /// <inheritdoc/>
    public void ReturnMessage(in FabricCompletion message)
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            VerbsConnection connection = _receives.TakeBack(message.MessageToken);
            if (_failed)
                return;
            TakeBack((int)message.MessageToken, connection);
            TellCredits();
        }
    }

    /// <summary>After how many of a window credits are told: no more than two such frames are under way before the window is used up.</summary>
    internal static int TellAfter(int window) => (window + 1) / 2;

    /// <summary>A message's buffer is free: it is posted again, and its sender hears of it in time.</summary>
    private void TakeBack(int index, VerbsConnection sender)
    {
        PostReceive(index);
        sender.MessagesTaken++;
        if (sender.MessagesTaken - sender.MessagesTold >= (uint)TellAfter(_options.MessageWindow))
            Owe(sender);
    }

    private bool TryStart(ControlFrameKind kind, VerbsConnection connection, int route, ReadOnlySpan<byte> content, ulong context)
    {
        int slot = _sends.TryTake(connection, route, context);
        if (slot < 0)
            return false;
        // The frame before it is written when it goes, with the credits of then.
        Span<byte> buffer = _sends.BufferOf(slot);
        buffer[0] = (byte)kind;
        content.CopyTo(buffer[ControlFrame.Length..]);
        _sends[slot].Length = ControlFrame.Length + content.Length;
        _sends[slot].IsSilent = kind != ControlFrameKind.Message;
        connection.WaitingMessages.Enqueue(slot);
        FlushMessages(connection);
        return true;
    }

    private void FlushMessages(VerbsConnection connection)
    {
        while (connection.IsReady
            && connection.MaySendMessage
            && connection.ControlRequests < ControlDepth - ControlReserve
            && connection.WaitingMessages.TryDequeue(out int slot))
        {
            Span<byte> buffer = _sends.BufferOf(slot);
            if (_sends[slot].Length - ControlFrame.Length > connection.MaxMessageLength)
            {
                EndMessage(slot, FabricStatus.ProviderError, IBV.IBV_WC_LOC_LEN_ERR);
                continue;
            }

            FrameOf(connection, (ControlFrameKind)buffer[0]).Write(buffer);
            ibv_sge piece = _sends.PieceOf(slot);
            _sends[slot].IsPosted = true;
            connection.MessagesSent++;
            PostControl(connection, &piece, WorkId.Pack(WorkKind.Message, slot, _sends[slot].Sequence), IBV.IBV_SEND_SIGNALED);
        }
    }

    /// <summary>What a frame says of credits, which is told with it: of receives that are posted.</summary>
    private ControlFrame FrameOf(VerbsConnection connection, ControlFrameKind kind)
    {
        RepostImmediates();
        connection.ImmediatesTold = connection.ImmediatesTaken;
        connection.MessagesTold = connection.MessagesTaken;
        return new ControlFrame(kind, connection.ImmediatesTaken + (uint)_options.ImmediateWindow, connection.MessagesTaken + (uint)_options.MessageWindow);
    }

    private void PostControl(VerbsConnection connection, ibv_sge* piece, ulong workId, uint flags)
    {
        // Posting receives before it may have shown that the device is gone.
        if (connection.IsOver)
            return;
        var request = new ibv_send_wr { wr_id = workId, sg_list = piece, num_sge = 1, opcode = IBV.IBV_WR_SEND, send_flags = flags };
        ibv_send_wr* bad;
        connection.ControlRequests++;
        int error = Calls.ibv_post_send(connection.Control.Native, &request, &bad);
        if (error == 0)
            return;
        connection.ControlRequests--;
        FailConnection(connection, FabricStatus.ProviderError, VerbsErrors.FirstErrno + error);
        Doom(connection);
    }

    /// <summary>Notes that a peer is to hear of credits once the receives they speak of are posted.</summary>
    private void Owe(VerbsConnection connection)
    {
        if (connection.OwesCredits || connection.IsOver)
            return;
        connection.OwesCredits = true;
        _owing.Add(connection);
    }

    private void TellCredits()
    {
        for (int i = _owing.Count - 1; i >= 0; i--)
        {
            VerbsConnection connection = _owing[i];
            if (!connection.IsOver && (!connection.IsReady || connection.ControlRequests >= ControlDepth))
                continue;
            _owing.RemoveAt(i);
            connection.OwesCredits = false;
            // A message may have told them meanwhile.
            if (connection.IsOver || (connection.ImmediatesTold == connection.ImmediatesTaken && connection.MessagesTold == connection.MessagesTaken))
                continue;
            SendCredits(connection);
        }
    }

    private void SendCredits(VerbsConnection connection)
    {
        byte* frame = stackalloc byte[ControlFrame.Length];
        FrameOf(connection, ControlFrameKind.Credits).Write(new Span<byte>(frame, ControlFrame.Length));
        var piece = new ibv_sge { addr = (ulong)frame, length = ControlFrame.Length };
        PostControl(connection, &piece, WorkId.Pack(WorkKind.Credit, 0, connection.Epoch), IBV.IBV_SEND_SIGNALED | IBV.IBV_SEND_INLINE);
    }

    private void TakeMessage(int index, int length, uint number)
    {
        // Safe: the NIC has filled that many bytes of the buffer.
        ReadOnlySpan<byte> bytes = _receives[index][..Math.Min(length, ControlFrame.Length + _options.MaxMessageLength)];
        if (Find(number) is not { } connection || !ControlFrame.TryParse(bytes, out ControlFrame frame))
        {
            PostReceive(index);
            return;
        }

        NoteArrival(connection);
        connection.ImmediateLimit = frame.ImmediateLimit;
        connection.MessageLimit = frame.MessageLimit;
        if (frame.Kind == ControlFrameKind.Message)
        {
            _receives.Lend(index, connection);
            Emit(new FabricCompletion
            {
                Kind = FabricCompletionKind.Message,
                Route = connection.OnlyRoute,
                Count = 1,
                Message = (nint)(_receives.BufferOf(index) + ControlFrame.Length),
                MessageLength = bytes.Length - ControlFrame.Length,
                MessageToken = index,
            });
        }
        else if (frame.Kind == ControlFrameKind.Revocation)
        {
            TakeRevocation(connection, bytes[ControlFrame.Length..]);
            TakeBack(index, connection);
        }
        else
        {
            // Credits are outside of the window.
            PostReceive(index);
        }

        FlushMessages(connection);
        FlushWrites(connection);
    }

    private void PostReceive(int index)
    {
        if (_receives.Post(index) is var error and not 0)
            Fail(VerbsErrors.FirstErrno + error);
    }

    /// <summary>The peer's NIC has a message, or will not have it.</summary>
    private void EndPostedMessage(WorkId id, int status)
    {
        if (_sends.OwnerOf(id) is not { } connection)
            return;
        (FabricStatus how, int code) = status == IBV.IBV_WC_SUCCESS ? (FabricStatus.Ok, 0) : HowEnded(connection, status);
        EndMessage(id.Index, how, code);
        EndControl(connection, status);
    }

    private void EndControl(VerbsConnection connection, int status)
    {
        connection.ControlRequests--;
        if (status != IBV.IBV_WC_SUCCESS)
        {
            (FabricStatus how, int code) = HowEnded(connection, status);
            FailConnection(connection, how, code);
        }

        FlushMessages(connection);
        DestroyIfDrained(connection);
    }

    /// <summary>Tells of a message's end, once.</summary>
    private void EndMessage(int slot, FabricStatus status, int code)
    {
        ref MessageSends.Slot message = ref _sends[slot];
        if (!message.IsSilent)
            Report(FabricCompletionKind.MessageSent, message.Context, message.Route, status, code);
        _sends.Return(slot);
    }
}
