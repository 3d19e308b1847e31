using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Garden.Fabric;
using Garden.Interop.Cuda;
using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>Progress and completions.</summary>
internal sealed unsafe partial class VerbsDomain
{
    /// <summary>Events of the device are looked for at least once in so many wakes.</summary>
    private const uint WakesPerLook = 64;

    /// <summary>Where completions go during a poll; with no room there, and outside of polls, they go to the backlog.</summary>
    private FabricCompletion* _out;
    private int _outCount;
    private int _outRoom;
    /// <summary>True while the completion queue has been told to send a wake and that was not taken.</summary>
    private bool _armed;
    private uint _wakes;
    private bool _arrived;
    private uint _lastNumber;
    private VerbsConnection? _lastConnection;

    /// <inheritdoc/>
    public int Poll(Span<FabricCompletion> completions)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            // Safe: the room is the span's, which stays where it is until the room is nothing again.
            fixed (FabricCompletion* first = completions)
            {
                _out = first;
                _outCount = 0;
                _outRoom = completions.Length;
                try
                {
                    while (_outCount < _outRoom && _backlog.TryDequeue(out FabricCompletion completion))
                        _out[_outCount++] = completion;
                    if (!_failed)
                    {
                        Advance();
                        Read(_outRoom, untilEmpty: false);
                    }
                }
                finally
                {
                    _outRoom = 0;
                }

                // Before anybody counts what has arrived.
                if (_arrived && _flush is { } flush)
                    FlushArrivals(flush);
                _arrived = false;
                return _outCount;
            }
        }
    }

    /// <summary>Where the flush fails what has arrived stays untold, as the GPU may not see it, and the NIC has failed.</summary>
    private void FlushArrivals(RemoteWriteFlush flush)
    {
        try
        {
            flush.Run();
        }
        catch (FabricException exception)
        {
            _lastReason = exception.Message;
            // Safe: below the count, which is at most the span's length; the span is still fixed.
            int kept = 0;
            for (int i = 0; i < _outCount; i++)
            {
                if (_out[i].Kind != FabricCompletionKind.Immediate)
                    _out[kept++] = _out[i];
            }

            _outCount = kept;
            for (int left = _backlog.Count; left > 0; left--)
            {
                FabricCompletion completion = _backlog.Dequeue();
                if (completion.Kind != FabricCompletionKind.Immediate)
                    _backlog.Enqueue(completion);
            }

            Fail(VerbsErrors.FlushFailed);
        }
    }

    /// <inheritdoc/>
    public bool TryArm(out long dueTimestamp)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            dueTimestamp = long.MaxValue;
            if (_backlog.Count != 0)
                return false;
            if (_failed)
                return true;
            TakeEvents();
            // Notify, then look once more: what comes between the two sends a wake. One that was not sent yet need not be asked for again.
            if (!_failed && !_armed && Calls.ibv_req_notify_cq(_nic.Cq, 0) is var error and not 0)
                Fail(VerbsErrors.FirstErrno + error);
            if (_failed)
                return false;
            _armed = true;
            Harvest();
            dueTimestamp = NextDue();
            return _backlog.Count == 0;
        }
    }

    /// <summary>Reads completions for a later poll: those that are there, which are no more than the queue holds. Others may come as fast as they are read.</summary>
    private void Harvest()
    {
        _outRoom = 0;
        Read(_nic.Completions, untilEmpty: true);
    }

    private void Read(int most, bool untilEmpty)
    {
        while (!_failed && most > 0 && (untilEmpty || _outCount < _outRoom))
        {
            int doomed = _doomed.Count;
            int count = Calls.ibv_poll_cq(_nic.Cq, EntriesPerRead, _entries);
            if (count < 0)
            {
                Fail(VerbsErrors.FirstErrno - count);
                return;
            }

            // Safe: the provider has filled count entries.
            for (int i = 0; i < count && !_failed; i++)
                Handle(_entries + i);
            most -= count;
            RepostImmediates();
            TellCredits();
            if (count == EntriesPerRead)
                continue;
            DestroyDoomed(doomed);
            // Those that this batch has ended wait for one more look.
            if (_doomed.Count == 0)
                return;
        }
    }

    private void RepostImmediates()
    {
        if (_immediates.Missing != 0 && !_failed && _immediates.Repost() is var error and not 0)
            Fail(VerbsErrors.FirstErrno + error);
    }

    /// <summary>Takes one completion. For tests as well, which have other devices' words for errors than the one that is here.</summary>
    internal void Handle(ibv_wc* entry)
    {
        // The status before anything else: of an entry that failed, only wr_id, vendor_err and qp_num mean something besides.
        int status = entry->status;
        WorkId id = WorkId.From(entry->wr_id);
        switch (id.Kind)
        {
            case WorkKind.Write:
                EndWrites(id, status);
                break;
            case WorkKind.ImmediateReceive:
                _immediates.Missing++;
                if (status == IBV.IBV_WC_SUCCESS && IsFrom(entry, IBV.IBV_WC_RECV_RDMA_WITH_IMM))
                    TakeImmediate(entry->qp_num, entry->imm_data);
                break;
            case WorkKind.MessageReceive:
                if (status == IBV.IBV_WC_SUCCESS && IsFrom(entry, IBV.IBV_WC_RECV))
                    TakeMessage(id.Index, (int)Math.Min(entry->byte_len, int.MaxValue), entry->qp_num);
                else
                    PostReceive(id.Index);
                break;
            case WorkKind.Message:
                EndPostedMessage(id, status);
                break;
            case WorkKind.Credit:
                if (Find(entry->qp_num) is { } connection && connection.Epoch == id.Sequence)
                    EndControl(connection, status);
                break;
            case WorkKind.DatagramSend:
                if (_datagrams.EndSend(id.Index, status) is var sending and not 0)
                    Fail(VerbsErrors.FirstErrno + sending);
                break;
            case WorkKind.DatagramReceive:
                ConnectionOffer? offer = status == IBV.IBV_WC_SUCCESS ? _datagrams.Read(id.Index, (int)entry->byte_len) : null;
                if (_datagrams.Repost(id.Index) is var posting and not 0)
                    Fail(VerbsErrors.FirstErrno + posting);
                else if (offer is not null)
                    Hear(offer, entry->src_qp);
                break;
        }
    }

    /// <summary>False when a peer used the other kind of request, as nothing of this version does: it loses its connection.</summary>
    private bool IsFrom(ibv_wc* entry, int opcode)
    {
        if (entry->opcode == opcode)
            return true;
        if (Find(entry->qp_num) is { } connection)
            FailConnection(connection, FabricStatus.ProviderError, IBV.IBV_WC_REM_INV_REQ_ERR);
        return false;
    }

    private void TakeImmediate(uint number, uint raw)
    {
        if (Find(number) is not { } connection)
            return;
        uint immediate = BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(raw) : raw;
        connection.ImmediatesTaken++;
        _arrived = true;
        NoteArrival(connection);
        if (connection.ImmediatesTaken - connection.ImmediatesTold >= (uint)TellAfter(_options.ImmediateWindow))
            Owe(connection);
        // Zero stands for "no immediate" and is sent only as the answer to a revocation.
        if (immediate == 0)
            TakeRevocationAnswer(connection);
        else
            Emit(new FabricCompletion { Kind = FabricCompletionKind.Immediate, Route = connection.OnlyRoute, Count = 1, Immediate = immediate });
    }

    /// <summary>Whatever comes over a connection shows that the other side is connected, even where its last offer was lost.</summary>
    private void NoteArrival(VerbsConnection connection)
    {
        if (connection.State == ConnectionState.Answered)
            BecomeReady(connection);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private VerbsConnection? Find(uint number)
    {
        if (number == _lastNumber && _lastConnection is not null)
            return _lastConnection;
        if (!_byQueuePair.TryGetValue(number, out VerbsConnection? connection))
            return null;
        _lastNumber = number;
        return _lastConnection = connection;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Emit(in FabricCompletion completion)
    {
        // Safe: below the room of the poll that is running.
        if (_outCount < _outRoom)
            _out[_outCount++] = completion;
        else
            _backlog.Enqueue(completion);
    }

    /// <summary>Successful writes of one context that follow each other are one completion.</summary>
    private void EmitWritten(ulong context, int route)
    {
        if (_outCount != 0 && _outCount <= _outRoom)
        {
            ref FabricCompletion last = ref _out[_outCount - 1];
            if (last.Context == context && last.Kind == FabricCompletionKind.Write && last.Status == FabricStatus.Ok && last.Route == route)
            {
                last.Count++;
                return;
            }
        }

        Emit(new FabricCompletion { Kind = FabricCompletionKind.Write, Route = route, Context = context, Count = 1 });
    }

    /// <summary>Takes what made the descriptor readable. Each look is a call of the kernel, so the device's own events, which are rare, are looked for where no wake was.</summary>
    private void TakeEvents()
    {
        bool wasWoken = _armed && _nic.TryTakeWake();
        _armed &= !wasWoken;
        if (wasWoken && ++_wakes % WakesPerLook != 0)
            return;
        while (!_failed && _nic.TryTakeEvent(out int type))
        {
            // The others show in completions as well, or mean nothing here.
            if (type is IBV.IBV_EVENT_DEVICE_FATAL or IBV.IBV_EVENT_CQ_ERR or IBV.IBV_EVENT_SRQ_ERR)
                Fail(IBV.IBV_WC_FATAL_ERR);
        }
    }
}
