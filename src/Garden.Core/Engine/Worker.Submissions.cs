using System.Runtime.CompilerServices;

namespace Garden;

/// <summary>From the ring to expansion.</summary>
internal sealed unsafe partial class Worker
{
    /// <summary>What submitters use.</summary>
    public SubmissionPort Port { get; }

    /// <summary>Worker: true when something that was submitted is not posted yet.</summary>
    public bool HasUnposted => _peersWithWork.Count != 0 || _scatterHead >= 0 || _ring.Peek() is not null;

    /// <summary>Any thread: cancels a transfer once the ring has been read up to here, which is behind its submission.</summary>
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
            // The slot is free before anything of the request is run: whatever happens then, it is taken once.
            Load(_records[index], slot);
            _ring.Advance(slot);
            Begin(index, _records[index]);
        }

        if (taken != 0)
            FlushNics();
        return taken != 0;
    }

    private void Load(TransferRecord* record, SubmissionSlot* slot)
    {
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
        record->AbortPeer = -1;
        // The slot has the low 32 bits of a millisecond clock; deadlines are less than 2³¹ ms away.
        record->Deadline = _milliseconds + (slot->DeadlineMilliseconds - (int)_milliseconds);
        _nextDeadline = Math.Min(_nextDeadline, record->Deadline);
        // Safe: both have MaxInlinePlan bytes, and a plan too long for that is in a block, whose handle is copied. The slot's second
        // line is not touched for a plan that does not reach into it.
        if (record->Operations->Size <= SubmissionSlot.MaxOneLinePlan)
            Unsafe.CopyBlockUnaligned(record->Plan, slot->Plan, SubmissionSlot.MaxOneLinePlan);
        else
            Unsafe.CopyBlockUnaligned(record->Plan, slot->Plan, SubmissionSlot.MaxInlinePlan);
        record->Block = slot->PlanInBlock ? *(ulong*)slot->Plan : 0;
        if (_quiesces.Count != 0)
            MarkDraining(record);
    }

    private void Begin(int index, TransferRecord* record)
    {
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
        if ((record->Flags & TransferFlags.HasPartial) != 0)
        {
            record->Flags &= ~TransferFlags.HasPartial;
            WriteDescriptor partial = record->Partial;
            if (StageBatch(index, record, &partial, 1) == 0)
            {
                // Nothing of it could be staged: it is kept as it was.
                if ((record->Flags & (TransferFlags.HasPartial | TransferFlags.Stopping)) == 0)
                    Keep(record, partial);
                return (record->Flags & TransferFlags.Stopping) != 0;
            }
        }

        if (!record->Cursor.IsCompleted)
        {
            PlanCursor start = record->Cursor;
            if (!TryExpand(index, record, &record->Cursor, _batch, BatchSize, out int count))
                return true;
            int staged = StageBatch(index, record, _batch, count);
            if ((record->Flags & TransferFlags.Stopping) != 0)
                return true;
            if (staged < count)
            {
                // Back-pressure: the cursor goes back to the first descriptor that was not taken, by expanding the taken ones again.
                int taken = staged + ((record->Flags & TransferFlags.HasPartial) != 0 ? 1 : 0);
                record->Cursor = start;
                return taken != 0 && !TryExpand(index, record, &record->Cursor, _rewind, taken, out _);
            }
        }

        if (!record->Cursor.IsCompleted)
            return false;
        record->Flags |= TransferFlags.Expanded;
        if ((record->Flags & TransferFlags.SeveralImmediates) == 0)
            ReleasePlan(record);
        return true;
    }

    /// <summary>Expands under guard: a plan is user code, and its error is its transfer's, not the worker's.</summary>
    private bool TryExpand(int index, TransferRecord* record, PlanCursor* cursor, WriteDescriptor* descriptors, int capacity, out int count)
    {
        Exception? error = null;
        count = 0;
        try
        {
            count = record->Operations->Expand(PlanOf(record), cursor, descriptors, capacity);
        }
        catch (Exception exception)
        {
            error = exception;
        }

        if (error is null && (uint)count <= (uint)capacity && (count != 0 || cursor->IsCompleted))
            return true;
        string what = error is null ? $"returned {count} descriptors for room of {capacity} and is {(cursor->IsCompleted ? "" : "not ")}completed" : $"threw: {error.Message}";
        count = 0;
        Fail(index, record, new PlanException($"The plan's Expand {what}; correct the plan."));
        return false;
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
        {
            bool moved = RunQueue(ref _scatterHead, ref _scatterTail);
            worked |= moved;
            if (!moved)
                RotateScatters();
        }

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

    /// <summary>A scatter that waits for one slow peer does not keep the scatters to other peers waiting.</summary>
    private void RotateScatters()
    {
        if (_scatterHead < 0 || _scatterHead == _scatterTail)
            return;
        int first = _scatterHead;
        _scatterHead = _records[first]->Next;
        _records[first]->Next = -1;
        Append(first, ref _scatterHead, ref _scatterTail);
    }

    /// <summary>One batch of writes, from as many transfers as it takes: a turn may cost system calls, which short ones share.</summary>
    private bool RunQueue(ref int head, ref int tail)
    {
        long writes = 0;
        while (head >= 0 && writes < BatchSize)
        {
            int index = head;
            TransferRecord* record = _records[index];
            bool stopping = (record->Flags & TransferFlags.Stopping) != 0;
            long before = record->Writes;
            if (!stopping && !AdvanceTurn(index, record))
                return writes != 0 || record->Writes != before;
            if (!stopping)
                writes += Math.Max(1, record->Writes - before);
            head = record->Next;
            if (head < 0)
                tail = -1;
            record->Flags &= ~TransferFlags.Queued;
            TryFinish(index, record);
        }

        return writes != 0;
    }
}
