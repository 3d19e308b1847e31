using System.Diagnostics;
using System.Threading.Tasks.Sources;

namespace Garden;

/// <summary>
/// Counts the immediates that arrive for one engine-allocated slot (in units) or for one user-chosen number (one each).
/// It is the only thing that says a receiver's data is there. 64-bit, counts early immediates, polled without allocation.
/// </summary>
/// <remarks>The first of reached, poisoned and deadline ends a wait and is final for it. Poison is final for the counter.</remarks>
public sealed unsafe class ImmCounter : IDisposable, IValueTaskSource<long>, IThreadPoolWorkItem
{
    private const int NoWait = 0;
    private const int Waiting = 1;
    private const int Settled = 2;

    private readonly Lock _lock = new();
    private readonly TransferEngine _engine;
    private readonly CounterTable _table;
    private readonly CounterEntry* _entry;
    private ManualResetValueTaskSourceCore<long> _core;
    private Timer? _timer;
    private CancellationTokenRegistration _registration;
    private Peer[] _contributors = [];
    private Action<long>? _callback;
    private Exception? _poison;
    private Exception? _outcome;
    private TimeSpan _deadline;
    private CancellationToken _cancellation;
    private long _deadlineMilliseconds;
    private long _target;
    private long _finalCount;
    private int _wait;
    private bool _disposed;

    internal ImmCounter(TransferEngine engine, CounterTable table, CounterEntry* entry, Immediate immediate)
    {
        _engine = engine;
        _table = table;
        _entry = entry;
        Immediate = immediate;
    }

    /// <summary>What senders put on their writes.</summary>
    public Immediate Immediate { get; }

    /// <summary>Units counted so far.</summary>
    public long Value => _disposed ? _finalCount : Volatile.Read(ref _entry->Count);

    /// <summary>Why the counter will not be reached any more, or null.</summary>
    public Exception? Poison => Volatile.Read(ref _poison);

    /// <summary>Completes when <paramref name="units"/> have been counted since the counter was made.</summary>
    /// <param name="units">The total to reach, 0 or more.</param>
    /// <param name="deadline">How long to wait at most.</param>
    /// <param name="contributors">The peers the units come from: if one fails first, the counter is poisoned with its name.</param>
    /// <param name="cancellationToken">Ends the wait. It does not stop the senders: see the drain rules of the protocol in use.</param>
    /// <returns>The count at completion.</returns>
    /// <exception cref="TimeoutException">The deadline passed; the message says how many units had come.</exception>
    /// <exception cref="PeerFailedException">A contributor failed.</exception>
    /// <exception cref="TransferAbortedException">A sender gave its transfer up.</exception>
    /// <exception cref="InvalidOperationException">Another wait is under way.</exception>
    public ValueTask<long> WaitAsync(long units, TimeSpan deadline, ReadOnlySpan<Peer> contributors = default, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(units);
        ArgumentOutOfRangeException.ThrowIfLessThan(deadline, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(deadline, TimeSpan.FromDays(20));
        short token;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_wait != NoWait)
                throw new InvalidOperationException($"{Immediate} is being waited for already, or its last wait was not awaited; a counter has one waiter at a time.");
            if (_poison is not null)
                return ValueTask.FromException<long>(_poison);
            if (Volatile.Read(ref _entry->Count) is var count && count >= units)
            {
                _target = Math.Max(_target, units);
                return new ValueTask<long>(count);
            }

            _core.Reset();
            token = _core.Version;
            _outcome = null;
            _target = units;
            _deadline = deadline;
            _deadlineMilliseconds = Environment.TickCount64 + (long)Math.Ceiling(deadline.TotalMilliseconds);
            _contributors = contributors.ToArray();
            _cancellation = cancellationToken;
            _wait = Waiting;
            if (_callback is null)
                Interlocked.Exchange(ref _entry->Target, units);
            else
                Interlocked.MemoryBarrier();
            // The count may have reached the target between the check and the store of the target.
            SettleLocked(null);
            if (_wait == Waiting)
            {
                _timer ??= new Timer(static state => ((ImmCounter)state!).OnDeadline(), this, Timeout.Infinite, Timeout.Infinite);
                _timer.Change(Math.Max(1, (long)Math.Ceiling(deadline.TotalMilliseconds)), Timeout.Infinite);
            }
        }

        foreach (Peer peer in _contributors)
        {
            if (peer.Failure is { } failure)
                OnPeerFailed(peer, failure);
        }

        if (cancellationToken.CanBeCanceled)
        {
            // Outside the lock: a token that is cancelled already calls back at once.
            CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(
                static (state, token) => ((ImmCounter)state!).OnCancelled(token), this);
            lock (_lock)
            {
                if (_wait == Waiting && _core.Version == token)
                    _registration = registration;
                else
                    registration.Unregister();
            }
        }

        return new ValueTask<long>(this, token);
    }

    /// <summary>Calls <paramref name="callback"/> with the new count after immediates arrived: on the worker, so it must not block.</summary>
    /// <remarks>Pass null to stop. Calls coalesce nothing: each poll batch of the worker that adds to the counter calls once or more.</remarks>
    public void OnCount(Action<long>? callback)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _callback = callback;
            // A target of 1 makes every arrival report; a wait's own target is checked in OnReached.
            Interlocked.Exchange(ref _entry->Target, callback is not null ? 1 : _wait == Waiting ? _target : long.MaxValue);
        }

        if (callback is not null && Value is var count and > 0)
            callback(count);
    }

    /// <summary>
    /// Ends the counter. Its slot is reused only when nothing can arrive for it any more: all expected units have come, or the
    /// caller says that a drain was confirmed. Otherwise the slot stays in quarantine.
    /// </summary>
    public void Dispose() => Dispose(drainConfirmed: false);

    /// <inheritdoc cref="Dispose()"/>
    /// <param name="drainConfirmed">True when the senders have confirmed that nothing more is on its way.</param>
    public void Dispose(bool drainConfirmed)
    {
        bool slot;
        lock (_lock)
        {
            if (_disposed)
                return;
            long count = Volatile.Read(ref _entry->Count);
            if (_wait == Waiting)
                SettleLocked(new ObjectDisposedException(nameof(ImmCounter)));
            drainConfirmed |= _poison is null && _target > 0 && count == _target;
            slot = Immediate.IsCounter;
            _finalCount = count;
            _disposed = slot;
            _callback = null;
            if (slot)
            {
                _timer?.Dispose();
                _timer = null;
            }
        }

        // A number's row belongs to the engine for good: early immediates may come at any time.
        if (slot)
            _table.FreeSlot(Immediate, drainConfirmed);
    }

    long IValueTaskSource<long>.GetResult(short token)
    {
        try
        {
            return _core.GetResult(token);
        }
        finally
        {
            // Only now may the next wait begin: the core is one wait's at a time.
            lock (_lock)
            {
                if (token == _core.Version && _wait == Settled)
                    _wait = NoWait;
            }
        }
    }

    ValueTaskSourceStatus IValueTaskSource<long>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<long>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    void IThreadPoolWorkItem.Execute()
    {
        if (_outcome is { } failure)
            _core.SetException(failure);
        else
            _core.SetResult(Value);
    }

    /// <summary>Worker: the count has reached the entry's target, or had when the worker looked.</summary>
    internal void OnReached()
    {
        if (Volatile.Read(ref _callback) is { } callback)
            _engine.RunInline(callback, Value);
        if (Volatile.Read(ref _wait) == Waiting)
        {
            lock (_lock)
                SettleLocked(null);
        }
    }

    /// <summary>Ends the counter for good: its units will not all come. A number's next wait begins anew: its row is for ever.</summary>
    internal void PoisonWith(Exception cause)
    {
        lock (_lock)
        {
            if (_disposed || _poison is not null)
                return;
            // Reached wins over poison that comes later.
            SettleLocked(null);
            if (_wait == Settled)
                return;
            if (Immediate.IsCounter)
                Volatile.Write(ref _poison, cause);
            SettleLocked(cause);
        }
    }

    /// <summary>A peer says that its transfer was given up. Where the contributors are known, only they may say so.</summary>
    internal void PoisonBy(Peer peer, Exception cause)
    {
        Peer[] contributors = Volatile.Read(ref _contributors);
        if (contributors.Length == 0 || Array.IndexOf(contributors, peer) >= 0)
            PoisonWith(cause);
    }

    internal void OnPeerFailed(Peer peer, Exception cause)
    {
        if (Volatile.Read(ref _wait) == Waiting && Array.IndexOf(Volatile.Read(ref _contributors), peer) >= 0)
            PoisonWith(cause);
    }

    private void OnDeadline()
    {
        lock (_lock)
        {
            // A callback of an earlier wait may still be on its way when the next wait has begun.
            long left = _deadlineMilliseconds - Environment.TickCount64;
            if (_wait == Waiting && left > 0)
                _timer?.Change(left, Timeout.Infinite);
            else
                SettleLocked(new TimeoutException($"{Immediate} counted {Value} of {_target} units in {_deadline.TotalSeconds:0.###} s."));
        }
    }

    private void OnCancelled(CancellationToken token)
    {
        lock (_lock)
        {
            if (token == _cancellation)
                SettleLocked(new OperationCanceledException(token));
        }
    }

    /// <summary>Ends the wait: with a failure, or with none if its target really is reached.</summary>
    private void SettleLocked(Exception? failure)
    {
        if (_wait != Waiting || (failure is null && Volatile.Read(ref _entry->Count) < _target))
            return;
        _wait = Settled;
        _outcome = failure;
        if (_callback is null)
            Interlocked.Exchange(ref _entry->Target, long.MaxValue);
        _timer?.Change(Timeout.Infinite, Timeout.Infinite);
        _registration.Unregister();
        _registration = default;
        // Continuations never run on the worker.
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }
}
