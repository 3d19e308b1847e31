using System.Diagnostics;

namespace Garden;

/// <summary>Deadlines, cancellation, drains and the clock.</summary>
internal sealed unsafe partial class Worker
{
    private readonly int? _cpu;
    private int _advancing = -1;
    private int _scatterHead = -1;
    private int _scatterTail = -1;
    private int _idleTurns;
    private uint _nextFirstLane;
    private long _lastTick;
    private long _nextDeadline = long.MaxValue;
    private long _longestPause;

    private static long Timestamp() => Stopwatch.GetTimestamp();

    private static long Ticks(TimeSpan span) => (long)(span.TotalSeconds * Stopwatch.Frequency);

    private static long TickInterval => Stopwatch.Frequency / 1000;

    private void RunTimers()
    {
        _now = Timestamp();
        if (_quiesces.Count != 0)
            CheckQuiesces();
        long gap = _now - _lastTick;
        if (gap < TickInterval)
            return;
        _lastTick = _now;
        // A pause of this process (a collection, a debugger) must not make its peers look dead. Parks end within a second.
        long pause = gap - Stopwatch.Frequency;
        _longestPause = Math.Max(pause, _longestPause - (gap / 16));
        if (_now >= _nextDeadline)
            CheckDeadlines();
        CheckPeers();
    }

    /// <summary>When a parked worker must look at its clock again.</summary>
    private long NextTimer()
    {
        long next = Math.Min(_nextDeadline, _nextPeerCheck);
        return _quiesces.Count == 0 ? next : Math.Min(next, _now + (10 * TickInterval));
    }

    private void CheckDeadlines()
    {
        _nextDeadline = long.MaxValue;
        for (int i = 0; i < _records.Used; i++)
        {
            TransferRecord* record = _records[i];
            if ((record->Flags & TransferFlags.InUse) == 0 || (record->Flags & TransferFlags.Abandoned) != 0)
                continue;
            if (record->Deadline <= _now)
                MissDeadline(i, record);
            if ((record->Flags & (TransferFlags.InUse | TransferFlags.Abandoned)) == TransferFlags.InUse)
                _nextDeadline = Math.Min(_nextDeadline, record->Deadline);
        }
    }

    private void MissDeadline(int index, TransferRecord* record)
    {
        if ((record->Flags & TransferFlags.Stopping) == 0)
        {
            Fail(index, record, new CancelRequest(timedOut: true));
            return;
        }

        if (record->Outstanding == 0)
        {
            // Still in a peer's queue that has not come round; the next turn ends it.
            record->Deadline = _now + (10 * TickInterval);
            return;
        }

        GardenLog.DrainFailed(_logger, record->Outstanding);
        _engine.CountLeak(record->Outstanding);
        _failures.TryGetValue(index, out Exception? cause);
        Abandon(index, new TransferNotDrainedException(record->Outstanding, cause ?? new TimeoutException("The transfer missed its deadline.")));
    }

    private void CancelWhenTaken(int source, short version, long position)
    {
        // The ring's order is kept: the submission is taken before its cancellation is looked at.
        if (_ring.Head < position)
        {
            _commands.Enqueue(() => CancelWhenTaken(source, version, position));
            TakeSubmissions();
            return;
        }

        TransferSource target = _engine.Sources[source];
        if (target.Version != version || target.IsCompleted(version))
            return;
        for (int i = 0; i < _records.Used; i++)
        {
            TransferRecord* record = _records[i];
            if ((record->Flags & TransferFlags.InUse) != 0 && (record->Flags & TransferFlags.Abandoned) == 0 && record->Source == source)
            {
                Fail(i, record, new CancelRequest(timedOut: false));
                return;
            }
        }
    }

    private bool AnyTransferFrom(ulong mask)
    {
        for (int i = 0; i < _records.Used; i++)
        {
            if ((_records[i]->Flags & TransferFlags.InUse) != 0 && (_records[i]->SourceMask & mask) != 0)
                return true;
        }

        return false;
    }
}
