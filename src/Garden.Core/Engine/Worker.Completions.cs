using Garden.Fabric;

namespace Garden;

/// <summary>From completions to ended transfers and counted immediates.</summary>
internal sealed unsafe partial class Worker
{
    private readonly Dictionary<int, Exception> _failures = [];
    private long _completedTransfers;
    private long _failedTransfers;

    private bool PollCompletions()
    {
        bool worked = false;
        foreach (Nic nic in _nics)
        {
            // Bounded: a flood of arrivals does not keep submissions waiting.
            for (int round = 0; round < 4; round++)
            {
                // Safe: the buffer has room for PollBatch completions.
                int count = nic.Domain.Poll(new Span<FabricCompletion>(_completions, PollBatch));
                for (int i = 0; i < count;)
                    i += Complete(nic, _completions + i, count - i);
                worked |= count != 0;
                if (count < PollBatch)
                    break;
            }
        }

        return worked;
    }

    /// <summary>Handles a completion and returns 1; of arrivals for one counter as many as follow each other, and returns how many completions these are.</summary>
    private int Complete(Nic nic, FabricCompletion* completion, int left)
    {
        switch (completion->Kind)
        {
            case FabricCompletionKind.Write:
                CompleteWrites(nic, completion);
                break;
            case FabricCompletionKind.Immediate:
                return CountImmediates(nic, completion, left);
            case FabricCompletionKind.Message:
                nic.Counters.MessagesReceived++;
                Receive(nic, completion);
                break;
            case FabricCompletionKind.MessageSent:
                CompleteMessage(nic, completion);
                break;
            case FabricCompletionKind.RouteFailed:
                FailRoute(nic, completion->Route, completion->Status, completion->ProviderCode);
                break;
            case FabricCompletionKind.DomainFailed:
                FailNic(nic);
                break;
        }

        return 1;
    }

    /// <summary>Arrivals for one counter are added in one step: an interlocked addition each would cost more than all else of them.</summary>
    private int CountImmediates(Nic nic, FabricCompletion* first, int left)
    {
        var immediate = Immediate.FromBits(first->Immediate);
        int arrivals = first->Count, taken = 1;
        NoteLife(nic, first->Route);
        if (immediate.IsCounter)
        {
            long units = (long)immediate.Units * first->Count;
            // Safe: left completions lie from the first one on.
            for (; taken < left && first[taken].Kind == FabricCompletionKind.Immediate; taken++)
            {
                var next = Immediate.FromBits(first[taken].Immediate);
                if ((next.Value | Immediate.UnitMask) != (immediate.Value | Immediate.UnitMask))
                    break;
                if (first[taken].Route != first[taken - 1].Route)
                    NoteLife(nic, first[taken].Route);
                units += (long)next.Units * first[taken].Count;
                arrivals += first[taken].Count;
            }

            _engine.Counters.Count(immediate, units, arrivals);
        }
        else if (!_engine.Counters.CountNumber(immediate.Value, arrivals))
        {
            OverflowNumbers(nic, first);
        }

        nic.Counters.Immediates += arrivals;
        return taken;
    }

    /// <summary>A peer whose writes arrive lives, also while its heartbeats wait for the wire or the device behind them.</summary>
    private void NoteLife(Nic nic, int route)
    {
        if (route >= 0 && nic.Routes.TryGetValue(route, out (int Peer, int Lane) origin) && _peers[origin.Peer] is { } peer)
            peer.LastHeard = _now;
    }

    private void CompleteWrites(Nic nic, FabricCompletion* completion)
    {
        nic.Outstanding -= completion->Count;
        PeerEntry* peer = _peerEntries + TransferRecords.PeerOf(completion->Context);
        Lane* lane = LaneOf(peer, TransferRecords.LaneOf(completion->Context));
        lane->Outstanding -= completion->Count;
        int index = _records.Find(completion->Context);
        if (index < 0)
            return;
        TransferRecord* record = _records[index];
        record->Outstanding -= completion->Count;
        if (completion->Status != FabricStatus.Ok)
        {
            nic.Counters.Errors += completion->Count;
            FailByStatus(index, record, nic, TransferRecords.PeerOf(completion->Context), completion->Status, completion->ProviderCode);
        }

        TryFinish(index, record);
    }

    private void FailByStatus(int index, TransferRecord* record, Nic nic, int peerIndex, FabricStatus status, int code)
    {
        if ((record->Flags & TransferFlags.Stopping) != 0)
            return;
        Peer peer = _peers[peerIndex]!;
        GardenException failure = peer.Failure is { } known ? known
            : new FabricException($"A write to {peer.Address} over NIC {nic.Domain.Address} ended as {status}{(code == 0 ? "" : $" (provider code {code})")}: {nic.Domain.Explain(status, code)}", status, code);
        Fail(index, record, failure);
    }

    /// <summary>Stops a transfer: nothing more is posted; it ends once what is posted has drained.</summary>
    private void Fail(int index, TransferRecord* record, Exception failure)
    {
        if ((record->Flags & TransferFlags.Stopping) != 0)
            return;
        record->Flags = (record->Flags | TransferFlags.Stopping) & ~TransferFlags.HasPartial;
        _failures[index] = failure;
        record->Deadline = Environment.TickCount64 + (long)_options.DrainDeadline.TotalMilliseconds;
        _nextDeadline = Math.Min(_nextDeadline, record->Deadline);
        if (failure is not TransferCanceledException)
            GardenLog.TransferFailed(_logger, failure.Message);
        NotifyAbort(record, failure);
        ReleasePlan(record);
        TryFinish(index, record);
    }

    private void TryFinish(int index, TransferRecord* record)
    {
        if (record->Outstanding != 0
            || index == _advancing
            || (record->Flags & TransferFlags.InUse) == 0
            || (record->Flags & (TransferFlags.Expanded | TransferFlags.Stopping)) == 0
            || (record->Flags & (TransferFlags.HasPartial | TransferFlags.Stopping)) == TransferFlags.HasPartial)
        {
            return;
        }

        ReleasePlan(record);
        bool abandoned = (record->Flags & TransferFlags.Abandoned) != 0;
        int source = record->Source;
        Exception? failure = null;
        TransferResult result = default;
        if (!abandoned)
        {
            result = new TransferResult(record->Bytes, record->Writes, record->LanesUsed);
            if ((record->Flags & TransferFlags.Stopping) != 0)
            {
                _failures.Remove(index, out failure);
                if (failure is CancelRequest request)
                    failure = request.TimedOut
                        ? new TimeoutException($"The transfer missed its deadline after {result.Writes} writes ({result.Bytes} bytes); posting stopped and what was posted has drained.")
                        : new TransferCanceledException(result);
            }

        }

        // The record is free before the owner hears of the end, so that what the owner then asks for is true.
        // In the middle of a peer's queue it stays as a tombstone until its turn; its owner does not wait for that.
        if ((record->Flags & TransferFlags.Queued) != 0)
            record->Flags |= TransferFlags.Abandoned | TransferFlags.Stopping;
        else
            _records.Return(index);
        if (abandoned)
            return;
        CountTransfer(failure);
        _engine.Sources[source].Complete(result, failure);
    }

    /// <summary>Ends the source although writes are still posted; the record stays until they have ended.</summary>
    private void Abandon(int index, Exception cause)
    {
        TransferRecord* record = _records[index];
        if ((record->Flags & TransferFlags.Abandoned) != 0)
            return;
        _failures.Remove(index);
        record->Flags |= TransferFlags.Abandoned | TransferFlags.Stopping;
        ReleasePlan(record);
        CountTransfer(cause);
        _engine.Sources[record->Source].Complete(new TransferResult(record->Bytes, record->Writes, record->LanesUsed), cause);
    }

    private void CountTransfer(Exception? failure)
    {
        if (failure is null)
            _completedTransfers++;
        else
            _failedTransfers++;
    }

    private static void* PlanOf(TransferRecord* record) => record->Block == 0 ? record->Plan : NativeBlock.Items(record->Block);

    private void ReleasePlan(TransferRecord* record)
    {
        if ((record->Flags & TransferFlags.Released) != 0)
            return;
        record->Flags |= TransferFlags.Released;
        Release(record->Operations, PlanOf(record));
        NativeBlock.Release(record->Block);
    }

    /// <summary>A plan's Release is user code as well.</summary>
    private void Release(PlanOperations* operations, void* plan)
    {
        try
        {
            operations->Release(plan);
        }
        catch (Exception exception)
        {
            GardenLog.CallbackFailed(_logger, "plan's Release", exception);
        }
    }

    private void ReleaseUnstarted(SubmissionSlot* slot)
    {
        ulong block = slot->PlanInBlock ? *(ulong*)slot->Plan : 0;
        Release(slot->Operations, block == 0 ? slot->Plan : NativeBlock.Items(block));
        NativeBlock.Release(block);
    }

    /// <summary>Tells every receiver that counts for this transfer that its count will not be reached.</summary>
    private void NotifyAbort(TransferRecord* record, Exception failure)
    {
        // The plan is still there: before the end of its expansion, and after it when it has several counters.
        if ((record->Flags & TransferFlags.Released) == 0)
            NotifyAbortsOfPlan(record, failure);
        else
            NotifyAbort(record->AbortPeer, record->AbortImmediate, failure.Message);
    }

    private void NotifyAbortsOfPlan(TransferRecord* record, Exception failure)
    {
        PlanCursor cursor = default;
        var told = new HashSet<(int Peer, Immediate Immediate)>();
        try
        {
            while (!cursor.IsCompleted)
            {
                int count = record->Operations->Expand(PlanOf(record), &cursor, _rewind, BatchSize);
                // A plan that is wrong may say anything; what it wrote beyond the buffer is not looked at.
                if (count is <= 0 or > BatchSize)
                    break;
                for (int i = 0; i < count; i++)
                {
                    RegionEntry* entry = _engine.Regions.Find(_rewind[i].Destination);
                    if (entry is not null && entry->State == RegionState.Remote && told.Add((entry->Peer, _rewind[i].Immediate)))
                        NotifyAbort(entry->Peer, _rewind[i].Immediate, failure.Message);
                }
            }
        }
        catch (Exception exception)
        {
            GardenLog.CallbackFailed(_logger, "plan's Expand", exception);
        }

        if (!record->AbortImmediate.IsNone && told.Add((record->AbortPeer, record->AbortImmediate)))
            NotifyAbort(record->AbortPeer, record->AbortImmediate, failure.Message);
    }

    private void NotifyAbort(int peerIndex, Immediate immediate, string reason)
    {
        if (peerIndex >= 0 && !immediate.IsNone && _peers[peerIndex] is { State: PeerState.Ready } peer)
            SendAbort(peer, immediate, reason);
    }

    private void OverflowNumbers(Nic nic, FabricCompletion* completion)
    {
        string error = $"Immediate {completion->Immediate} is the {_options.MaxNumbers + 1}th distinct number; numbers in use and counted early are bounded. Use fewer numbers, use engine-allocated counters, or raise TransferEngineOptions.MaxNumbers.";
        if (nic.Routes.TryGetValue(completion->Route, out (int Peer, int Lane) origin))
            FailPeer(_peers[origin.Peer]!, error);
        else if (completion->Route < 0)
            throw new EngineFaultedException($"{error} The fabric cannot tell which peer sent it.");
        else
            // Of a peer that this has ended already.
            _engine.CountDroppedMessage();
    }
}
