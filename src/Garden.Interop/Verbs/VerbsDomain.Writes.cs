using System.Runtime.CompilerServices;
using Garden.Fabric;
using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>Writes: into a slot, into a chain, to their end.</summary>
internal sealed unsafe partial class VerbsDomain
{
    /// <summary>The route of writes that answer a revocation; nobody hears of their end.</summary>
    private const int AnswerRoute = -2;

    private readonly List<VerbsConnection> _touched = [];

    /// <summary>Requests the NIC was given for writes: fewer than writes where some were gathered.</summary>
    internal long RequestsPosted { get; private set; }

    /// <summary>Chains they went in, one doorbell each.</summary>
    internal long ChainsPosted { get; private set; }

    /// <inheritdoc/>
    public int PostWrites(ReadOnlySpan<FabricWrite> writes)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            int posted = 0;
            for (; posted < writes.Length; posted++)
            {
                ref readonly FabricWrite write = ref writes[posted];
                if (_writes.InUse + _backlog.Count >= _options.QueueDepth)
                    break;
                FabricStatus status = Check(in write, FindRoute(write.Route), out VerbsConnection? connection, out int code);
                int slot = status == FabricStatus.Ok ? _writes.TryTake(connection!) : -1;
                if (slot < 0)
                {
                    if (status == FabricStatus.Ok)
                        break;
                    Report(FabricCompletionKind.Write, write.Context, write.Route, status, code);
                    continue;
                }

                *_writes[slot] = write;
                _writes.Append(ref connection!.Waiting, slot);
                if (!connection.IsTouched)
                {
                    connection.IsTouched = true;
                    _touched.Add(connection);
                }
            }

            foreach (VerbsConnection connection in _touched)
            {
                connection.IsTouched = false;
                FlushWrites(connection);
            }

            _touched.Clear();
            return posted;
        }
    }

    /// <summary>What can be known before the NIC sees a write.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private FabricStatus Check(in FabricWrite write, VerbsRoute? route, out VerbsConnection? connection, out int code)
    {
        connection = null;
        code = 0;
        if (_failed)
            return FabricStatus.NicDown;
        if (route is null || route.HasFailed)
            return FabricStatus.RouteDown;
        connection = route.Connection ?? Bind(route);
        if (connection is null || connection.IsOver)
        {
            code = connection?.CauseCode ?? VerbsErrors.TooManyPeers;
            return FabricStatus.RouteDown;
        }

        // A negative length is a huge one here.
        if ((ulong)write.Length > (ulong)Capabilities.MaxWriteLength)
            return FabricStatus.ProviderError;
        // No region reaches past the end of the address space.
        return write.Length != 0 && write.RemoteAddress + (ulong)write.Length < write.RemoteAddress ? FabricStatus.RemoteAccess : FabricStatus.Ok;
    }

    /// <summary>Posts what the connection, its send queue and the peer's receives have room for.</summary>
    private void FlushWrites(VerbsConnection connection)
    {
        while (connection.IsReady && !connection.Waiting.IsEmpty)
        {
            _chain.Clear();
            while (_chain.Count < _chain.Length && connection.DataRequests < _options.PeerQueueDepth && TryBuild(connection))
                connection.DataRequests++;
            if (_chain.Count == 0)
                return;
            RequestsPosted += _chain.Count;
            ChainsPosted++;
            int error = _chain.Post(connection.Data.Native);
            if (error == 0)
                continue;
            // Room was counted, so this is no back-pressure. What the NIC did not take comes back when the queue pair is destroyed.
            FailConnection(connection, FabricStatus.ProviderError, VerbsErrors.FirstErrno + error);
            Doom(connection);
        }
    }

    /// <summary>Makes the next request of the chain from the oldest waiting write, and those that continue it at the target. False when there is none that may go.</summary>
    private bool TryBuild(VerbsConnection connection)
    {
        ref SlotList waiting = ref connection.Waiting;
        while (!waiting.IsEmpty)
        {
            FabricWrite* write = _writes[waiting.Head];
            bool isAnswer = write->Route == AnswerRoute;
            if ((write->Immediate != 0 || isAnswer) && !connection.MaySendImmediate)
                return false;
            FabricStatus status = Resolve(connection, write, out uint localKey, out bool mayInline);
            if (status != FabricStatus.Ok)
            {
                Report(FabricCompletionKind.Write, write->Context, write->Route, status, 0);
                _writes.Return(_writes.TakeFirst(ref waiting));
                continue;
            }

            ibv_send_wr* request = _chain.Begin(write->RemoteAddress, (uint)write->RemoteKey);
            long length = write->Length;
            if (length != 0)
                _chain.TryAdd(request, write->LocalAddress, (uint)length, localKey);
            int first = waiting.Head, last = _writes.TakeFirst(ref waiting);
            _writes.Append(ref connection.Posted, last);
            while (length != 0 && write->Immediate == 0 && !waiting.IsEmpty && TryGather(connection, request, write, _writes[waiting.Head], ref length, ref mayInline))
            {
                last = _writes.TakeFirst(ref waiting);
                _writes.Append(ref connection.Posted, last);
                write = _writes[last];
            }

            if (write->Immediate != 0 || isAnswer)
            {
                WriteChain.SetImmediate(request, write->Immediate);
                connection.ImmediatesSent++;
            }

            if (mayInline && length <= _options.InlineBytes && length <= connection.Data.InlineBytes)
                request->send_flags |= IBV.IBV_SEND_INLINE;
            for (int slot = first; slot >= 0; slot = slot == last ? -1 : _writes.StateOf(slot).Next)
                _writes.StateOf(slot).RequestEnd = last;
            request->wr_id = WorkId.Pack(WorkKind.Write, last, _writes.StateOf(last).Sequence);
            return true;
        }

        return false;
    }

    /// <summary>Adds a write to a request when it continues it at the target.</summary>
    private bool TryGather(VerbsConnection connection, ibv_send_wr* request, FabricWrite* before, FabricWrite* next, ref long length, ref bool mayInline)
    {
        if (next->Length == 0
            || next->RemoteKey != before->RemoteKey
            || next->RemoteAddress != before->RemoteAddress + (ulong)before->Length
            || length + next->Length > Capabilities.MaxWriteLength
            || (next->Immediate != 0 && !connection.MaySendImmediate)
            || Resolve(connection, next, out uint localKey, out bool inline) != FabricStatus.Ok
            || !_chain.TryAdd(request, next->LocalAddress, (uint)next->Length, localKey))
            return false;
        length += next->Length;
        mayInline &= inline;
        return true;
    }

    /// <summary>The local key of a write's source, looked up when it goes: the region may have been unregistered while it waited.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private FabricStatus Resolve(VerbsConnection connection, FabricWrite* write, out uint localKey, out bool mayInline)
    {
        localKey = 0;
        mayInline = true;
        if (write->Length == 0)
            return FabricStatus.Ok;
        if (!_regions.TryFind(write->LocalKey, write->LocalAddress, (ulong)write->Length, out void* descriptor))
            return FabricStatus.LocalAccess;
        localKey = (uint)(ulong)descriptor;
        mayInline = ((ulong)descriptor & HostMemory) != 0;
        return connection.RevokedKeys is { } revoked && revoked.Contains(write->RemoteKey) ? FabricStatus.RemoteAccess : FabricStatus.Ok;
    }

    /// <summary>A completion of a request: all requests before it have ended well.</summary>
    private void EndWrites(WorkId id, int status)
    {
        if (_writes.OwnerOf(id) is not { } connection)
            return;
        (FabricStatus how, int code) = status == IBV.IBV_WC_SUCCESS ? (FabricStatus.Ok, 0) : HowEnded(connection, status);
        int slot;
        do
        {
            slot = _writes.TakeFirst(ref connection.Posted);
            int end = _writes.StateOf(slot).RequestEnd;
            if (slot == end)
                connection.DataRequests--;
            EndWrite(slot, end == id.Index ? how : FabricStatus.Ok, code);
        }
        while (slot != id.Index);

        if (how != FabricStatus.Ok)
            FailConnection(connection, how, code);
        else if (!connection.Waiting.IsEmpty)
            FlushWrites(connection);
        DestroyIfDrained(connection);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void EndWrite(int slot, FabricStatus status, int code)
    {
        FabricWrite* write = _writes[slot];
        if (write->Route != AnswerRoute)
        {
            if (status == FabricStatus.Ok)
                EmitWritten(write->Context, write->Route);
            else
                Report(FabricCompletionKind.Write, write->Context, write->Route, status, code);
        }

        _writes.Return(slot);
    }

    /// <summary>How an operation ended: a peer that does not acknowledge is not blamed for what this side's port is.</summary>
    private (FabricStatus Status, int Code) HowEnded(VerbsConnection connection, int status) =>
        status == IBV.IBV_WC_RETRY_EXC_ERR && !connection.IsOver && !IsPortActive() ? (FabricStatus.NicDown, VerbsErrors.PortDown) : connection.HowEnded(status);
}
