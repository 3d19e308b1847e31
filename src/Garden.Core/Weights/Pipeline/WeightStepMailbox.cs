namespace Garden.Weights;

/// <summary>
/// Hands what another rank says about a step to the one who waits for that step. What comes early is kept, also when later steps
/// follow, and what is older than the step that was asked for last is forgotten; a failure ends the wait and all that follow.
/// Thread-safe; posts never block.
/// </summary>
internal sealed class WeightStepMailbox<T>
    where T : class
{
    /// <summary>Steps that a rank may be ahead before its oldest word is forgotten.</summary>
    private const int MostKept = 16;

    private readonly Lock _lock = new();
    private readonly SortedList<long, T> _values = [];
    private (long Step, TaskCompletionSource<T> Source)? _waiter;
    private Exception? _failure;

    public void Post(long step, T value)
    {
        lock (_lock)
        {
            if (_waiter is var (asked, _) && step < asked)
                return;
            _values[step] = value;
            if (_values.Count > MostKept)
                _values.RemoveAt(0);
            Settle();
        }
    }

    public void Fail(Exception failure)
    {
        lock (_lock)
        {
            _failure ??= failure;
            Settle();
        }
    }

    /// <summary>What has been said about a step so far; it stays.</summary>
    public T? Find(long step)
    {
        lock (_lock)
            return _values.GetValueOrDefault(step);
    }

    /// <summary>The value for a step.</summary>
    /// <exception cref="WeightUpdateException">The other rank is at a later step already.</exception>
    public async Task<T> TakeAsync(long step, CancellationToken cancellationToken)
    {
        var source = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            _waiter = (step, source);
            while (_values.Count != 0 && _values.GetKeyAtIndex(0) < step)
                _values.RemoveAt(0);
            Settle();
        }

        return await source.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private void Settle()
    {
        if (_waiter is not var (step, source))
            return;
        // What was said counts, also when the rank has gone since.
        if (_values.TryGetValue(step, out T? value))
            source.TrySetResult(value);
        else if (_failure is not null)
            source.TrySetException(_failure);
        else if (_values.Count != 0)
            source.TrySetException(new WeightUpdateException(step, $"the other rank is at step {_values.GetKeyAtIndex(_values.Count - 1)} already; this one is late."));
    }
}
