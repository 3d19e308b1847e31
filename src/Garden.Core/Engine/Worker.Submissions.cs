using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Garden;

/// <summary>From the ring to expansion.</summary>
internal sealed unsafe partial class Worker
{
    /// <summary>Ring positions are taken in order; a command that must come after a submission waits for its position.</summary>
    public long RingTail => _ring.Tail;

    /// <summary>Producer: puts a validated plan into the ring; false when it is full. The plan was acquired; it is released here only on success by the worker.</summary>
    public bool TryEnqueue<TPlan>(in TPlan plan, in PlanValidator validator, LaneRouting routing, int deadlineMilliseconds, TransferSource source)
        where TPlan : unmanaged, ITransferPlan<TPlan>
    {
        if (!_ring.TryClaim(out SubmissionSlot* slot, out long position))
            return false;
        slot->Operations = PlanOperations.Of<TPlan>.Instance;
        slot->SourceMask = validator.SourceMask;
        slot->Source = source.Index;
        slot->Peer = validator.Peer < 0 ? -1 : validator.Peer;
        slot->Routing = routing.Kind;
        slot->Lane = (byte)routing.Lane;
        slot->DeadlineMilliseconds = deadlineMilliseconds;
        if (sizeof(TPlan) <= SubmissionSlot.MaxInlinePlan)
        {
            slot->PlanInBlock = 0;
            // Safe: the plan fits the slot's plan bytes, as just checked.
            *(TPlan*)slot->Plan = plan;
        }
        else
        {
            slot->PlanInBlock = 1;
            *(ulong*)slot->Plan = NativeBlock.Rent(1, sizeof(TPlan), out void* copy);
            *(TPlan*)copy = plan;
        }

        SubmissionRing.Publish(slot, position);
        _parker.WakeAfterFence();
        return true;
    }

    public void RequestCancel(int source, short version)
    {
        long position = _ring.Tail;
        Enqueue(() => CancelWhenTaken(source, version, position));
    }

    private bool TakeSubmissions()
    {
        int taken = 0;
        for (; taken < SubmissionsPerTurn; taken++)
        {
            SubmissionSlot* slot = _ring.Peek();
            if (slot is null || !_records.TryRent(out int index))
                break;
            Begin(index, slot);
            _ring.Advance(slot);
        }

        if (taken != 0)
            FlushNics();
        return taken != 0;
    }

    private void Begin(int index, SubmissionSlot* slot)
    {
        TransferRecord* record = _records[index];
        record->Operations = slot->Operations;
        record->SourceMask = slot->SourceMask;
        record->Source = slot->Source;
        record->Peer = slot->Peer;
        record->Routing = slot->Routing;
        record->Lane = slot->Lane;
        record->LanesUsed = 0;
        record->FirstLane = slot->Lane == 0 ? (byte)0 : (byte)(_nextFirstLane++ % NetAddress.MaxNics);
        record->Outstanding = 0;
        record->Next = -1;
        record->Bytes = 0;
        record->Writes = 0;
        record->Flags = TransferFlags.InUse;
        record->Cursor = default;
        record->AbortImmediate = default;
        record->Block = 0;
        record->Deadline = _now + (slot->DeadlineMilliseconds * (Stopwatch.Frequency / 1000));
        _nextDeadline = Math.Min(_nextDeadline, record->Deadline);
        // Safe: both have MaxInlinePlan bytes. A plan too long for that is in a block, whose handle is copied.
        Unsafe.CopyBlockUnaligned(record->Plan, slot->Plan, SubmissionSlot.MaxInlinePlan);
        if (slot->PlanInBlock != 0)
            record->Block = *(ulong*)slot->Plan;

        // A peer's transfers keep their order of submission where that costs nothing: behind a queue, one queues up.
        bool queueEmpty = record->Peer < 0 ? _scatterHead < 0 : _peerEntries[record->Peer].QueueHead < 0;
        if (!queueEmpty || !AdvanceTurn(index, record))
            Push(index, record);
    }

    /// <summary>One batch of a transfer. True when there is nothing left to post for it: it is expanded, or it is stopping.</summary>
    private bool AdvanceTurn(int index, TransferRecord* record)
    {
        // Staging may fail the transfer; its record must not be freed under the hands that stage it.
        _advancing = index;
        bool ended = Advance(index, record);
        _advancing = -1;
        if (ended)
            TryFinish(index, record);
        return ended;
    }

    private bool Advance(int index, TransferRecord* record)
    {
        void* plan = PlanOf(record);
        if ((record->Flags & TransferFlags.HasPartial) != 0)
        {
            record->Flags &= ~TransferFlags.HasPartial;
            WriteDescriptor partial = record->Partial;
            if (StageBatch(index, record, &partial, 1) == 0)
                return (record->Flags & TransferFlags.Stopping) != 0;
        }

        if (!record->Cursor.IsCompleted)
        {
            PlanCursor start = record->Cursor;
            int count = record->Operations->Expand(plan, &record->Cursor, _batch, BatchSize);
            int staged = StageBatch(index, record, _batch, count);
            if ((record->Flags & TransferFlags.Stopping) != 0)
                return true;
            if (staged < count)
            {
                // Back-pressure: the cursor goes back to the first descriptor that was not taken, by expanding the taken ones again.
                int taken = staged + ((record->Flags & TransferFlags.HasPartial) != 0 ? 1 : 0);
                record->Cursor = start;
                if (taken != 0)
                    record->Operations->Expand(plan, &record->Cursor, _rewind, taken);
                return false;
            }
        }

        if (!record->Cursor.IsCompleted)
            return false;
        record->Flags |= TransferFlags.Expanded;
        if ((record->Flags & TransferFlags.SeveralImmediates) == 0)
            ReleasePlan(record);
        return true;
    }

    private void Push(int index, TransferRecord* record)
    {
        record->Flags |= TransferFlags.Queued;
        record->Next = -1;
        if (record->Peer < 0)
        {
            Append(index, ref _scatterHead, ref _scatterTail);
            return;
        }

        PeerEntry* peer = _peerEntries + record->Peer;
        Append(index, ref peer->QueueHead, ref peer->QueueTail);
        if (!peer->Queued)
        {
            peer->Queued = true;
            _peersWithWork.Enqueue(record->Peer);
        }
    }

    private void Append(int index, ref int head, ref int tail)
    {
        if (head < 0)
            head = index;
        else
            _records[tail]->Next = index;
        tail = index;
    }

    /// <summary>Each peer with waiting transfers gets one batch: a large or a slow one does not keep the others waiting.</summary>
    private bool RunQueues()
    {
        bool worked = false;
        if (_scatterHead >= 0)
            worked |= RunQueue(ref _scatterHead, ref _scatterTail);
        for (int round = _peersWithWork.Count; round > 0; round--)
        {
            int index = _peersWithWork.Dequeue();
            PeerEntry* peer = _peerEntries + index;
            worked |= RunQueue(ref peer->QueueHead, ref peer->QueueTail);
            peer->Queued = peer->QueueHead >= 0;
            if (peer->Queued)
                _peersWithWork.Enqueue(index);
        }

        return worked;
    }

    private bool RunQueue(ref int head, ref int tail)
    {
        while (head >= 0)
        {
            int index = head;
            TransferRecord* record = _records[index];
            bool stopping = (record->Flags & TransferFlags.Stopping) != 0;
            long before = record->Writes;
            if (!stopping && !AdvanceTurn(index, record))
                return record->Writes != before;
            head = record->Next;
            if (head < 0)
                tail = -1;
            record->Flags &= ~TransferFlags.Queued;
            TryFinish(index, record);
            if (!stopping)
                return true;
        }

        return false;
    }
}
