using System.Diagnostics;

namespace Garden;

/// <summary>Deadlines, cancellation, drains and the clock.</summary>
internal sealed unsafe partial class Worker
{
    private readonly int? _cpu;
    private int _advancing = -1;
    private int _scatterHead = -1;
    private int _scatterTail = -1;
    private int _turns;
    private uint _nextFirstLane;
    private long _lastTick;
    /// <summary>Of the last tick.</summary>
    private long _milliseconds = Environment.TickCount64;
    private long _nextDeadline = long.MaxValue;
    private long _longestPause;

    private static long Timestamp() => Stopwatch.GetTimestamp();

    private static long Ticks(TimeSpan span) => (long)(span.TotalSeconds * Stopwatch.Frequency);

    private static long TickInterval => Stopwatch.Frequency / 1000;

    /// <summary>The clock that a turn goes by; a park makes it stale.</summary>
    private void ReadClock() => _now = Timestamp();

    private void RunTimers()
    {
        ReadClock();
        if (_quiesces.Count != 0)
            CheckQuiesces();
        long gap = _now - _lastTick;
        if (gap < TickInterval)
            return;
        _lastTick = _now;
        _milliseconds = Environment.TickCount64;
        // A pause of this process (a collection, a debugger) must not make its peers look dead. Parks end within a second.
        long pause = gap - Stopwatch.Frequency;
        _longestPause = Math.Max(pause, _longestPause - (gap / 16));
        if (_milliseconds >= _nextDeadline)
            CheckDeadlines();
        if (_now >= _nextPeerCheck)
            CheckPeers();
    }

    /// <summary>How long a parked worker may leave its clock alone, in stopwatch ticks.</summary>
    private long TicksToNextTimer()
    {
        long wait = Math.Min(1000, _nextDeadline - Environment.TickCount64) * TickInterval;
        if (_nextPeerCheck != long.MaxValue)
            wait = Math.Min(wait, _nextPeerCheck - Timestamp());
        // A drain ends without a wake of its own.
        return _quiesces.Count == 0 ? wait : Math.Min(wait, 5 * TickInterval);
    }

    private void CheckDeadlines()
    {
        _nextDeadline = long.MaxValue;
        for (int i = 0; i < _records.Used; i++)
        {
            TransferRecord* record = _records[i];
            if ((record->Flags & TransferFlags.InUse) == 0 || (record->Flags & TransferFlags.Abandoned) != 0)
                continue;
            if (record->Deadline <= _milliseconds)
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
            Enqueue(() => CancelWhenTaken(source, version, position));
            return;
        }

        if (!_engine.Sources[source].IsRunning(version))
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
}
