using System.Runtime.ExceptionServices;
using System.Threading.Tasks.Sources;

namespace Garden;

/// <summary>The managed side of a transfer in flight: pooled, awaited once, pollable.</summary>
/// <remarks>
/// Protocol. One word says where it stands: Pending → Awaited (a continuation is registered) or Forgotten, and any of these →
/// Completed by the worker's exchange, after the result was written. Who moves to or finds Completed acts: the worker queues the
/// continuation when it replaced Awaited and recycles when it replaced Forgotten; the awaiter queues itself when its
/// compare-exchange finds Completed. The continuation runs as this very object on the thread pool, so completing allocates nothing
/// and never runs user code on the worker. The version grows at every recycling; a token of an earlier life is refused.
/// </remarks>
internal sealed class TransferSource : IValueTaskSource<TransferResult>, IThreadPoolWorkItem
{
    private const int Pending = 0;
    private const int Awaited = 1;
    private const int Completed = 2;
    private const int Forgotten = 3;

    private readonly TransferSources _owner;
    private ManualResetValueTaskSourceCore<bool> _continuation;
    private long _bytes;
    private long _writes;
    private byte _lanesUsed;
    private Exception? _failure;
    private int _state;
    private short _version;

    public TransferSource(TransferSources owner, int index)
    {
        _owner = owner;
        Index = index;
    }

    /// <summary>Index in the engine's table; the worker knows the source by it.</summary>
    public int Index { get; }

    public short Version => Volatile.Read(ref _version);

    /// <summary>The worker that runs the transfer, for cancellation.</summary>
    public Worker? Worker { get; set; }

    /// <summary>True from the submission to the consumption of the result.</summary>
    public bool IsRented { get; set; }

    /// <summary>True when this life of the source is still running; never throws, for the worker.</summary>
    public bool IsRunning(short token) => token == Version && Volatile.Read(ref _state) != Completed;

    public bool IsCompleted(short token)
    {
        RequireVersion(token);
        return Volatile.Read(ref _state) == Completed;
    }

    /// <summary>Worker: ends the transfer.</summary>
    public void Complete(in TransferResult result, Exception? failure)
    {
        // Plain fields side by side: the worker touches one cache line of a successful transfer's source.
        _bytes = result.Bytes;
        _writes = result.Writes;
        _lanesUsed = result.LanesUsed;
        if (failure is not null)
            _failure = failure;
        switch (Interlocked.Exchange(ref _state, Completed))
        {
            case Awaited:
                ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
                break;
            case Forgotten:
                Recycle();
                break;
        }
    }

    public void Forget(short token)
    {
        RequireVersion(token);
        if (Interlocked.CompareExchange(ref _state, Forgotten, Pending) == Completed)
            Recycle();
    }

    public TransferResult GetResult(short token)
    {
        RequireVersion(token);
        if (Volatile.Read(ref _state) != Completed)
            throw new InvalidOperationException("The transfer has not completed; await it or poll Transfer.IsCompleted first.");
        var result = new TransferResult(_bytes, _writes, _lanesUsed);
        Exception? failure = _failure;
        Recycle();
        if (failure is not null)
            ExceptionDispatchInfo.Throw(failure);
        return result;
    }

    public ValueTaskSourceStatus GetStatus(short token)
    {
        RequireVersion(token);
        if (Volatile.Read(ref _state) != Completed)
            return ValueTaskSourceStatus.Pending;
        return _failure is null ? ValueTaskSourceStatus.Succeeded
            : _failure is OperationCanceledException ? ValueTaskSourceStatus.Canceled : ValueTaskSourceStatus.Faulted;
    }

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        RequireVersion(token);
        _continuation.OnCompleted(continuation, state, _continuation.Version, flags);
        if (Interlocked.CompareExchange(ref _state, Awaited, Pending) == Completed)
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    void IThreadPoolWorkItem.Execute() => _continuation.SetResult(true);

    private void Recycle()
    {
        if (_failure is not null)
            _failure = null;
        _continuation.Reset();
        _state = Pending;
        Volatile.Write(ref _version, (short)(_version + 1));
        _owner.Return(this);
    }

    private void RequireVersion(short token)
    {
        if (token != _version)
            throw new InvalidOperationException("This Transfer was consumed already: await it, read its result or forget it once only.");
    }
}
