namespace Garden.Weights;

/// <summary>
/// Hands what another rank says about a step to the one who waits for that step. What comes early is kept, what is older than the
/// latest is forgotten; a failure ends the wait and all that follow. Thread-safe; posts never block.
/// </summary>
internal sealed class WeightStepMailbox<T>
    where T : class
{
    private readonly Lock _lock = new();
    private (long Step, T? Value) _latest = (long.MinValue, null);
    private (long Step, TaskCompletionSource<T> Source)? _waiter;
    private Exception? _failure;

    public void Post(long step, T value)
    {
        lock (_lock)
        {
            if (step < _latest.Step)
                return;
            _latest = (step, value);
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

    /// <summary>The value for a step.</summary>
    /// <exception cref="WeightUpdateException">The other rank is at a later step already.</exception>
    public async Task<T> TakeAsync(long step, CancellationToken cancellationToken)
    {
        var source = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            _waiter = (step, source);
            Settle();
        }

        return await source.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private void Settle()
    {
        if (_waiter is not var (step, source))
            return;
        // What was said counts, also when the rank has gone since.
        if (_latest.Step == step)
            source.TrySetResult(_latest.Value!);
        else if (_failure is not null)
            source.TrySetException(_failure);
        else if (_latest.Step > step)
            source.TrySetException(new WeightUpdateException(step, $"the other rank is at step {_latest.Step} already; this one is late."));
    }
}
