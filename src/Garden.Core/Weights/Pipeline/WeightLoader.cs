using System.Diagnostics;

namespace Garden.Weights;

/// <summary>
/// The first stage: loads tensors one after the other in the order in which they are needed, and lets those wait who need one that
/// is not there yet.
/// </summary>
internal sealed class WeightLoader
{
    private readonly Lock _lock = new();
    private readonly PriorityQueue<TaskCompletionSource, int> _waiters = new();
    private Exception? _failure;
    private int _loaded;

    /// <summary>Runs until all are loaded; without a source they are there already.</summary>
    public async Task RunAsync(IWeightSource? source, WeightLoadList list, nint tensors, WeightStages stages, CancellationToken cancellationToken)
    {
        if (source is null)
        {
            Reached(list.Count);
            return;
        }

        try
        {
            for (int i = 0; i < list.Count; i++)
            {
                long began = Stopwatch.GetTimestamp();
                (int tensor, WeightHolding holding) = list[i];
                await source.LoadAsync(tensor, holding, tensors + (nint)holding.Offset, cancellationToken).ConfigureAwait(false);
                stages.Loaded(began);
                Reached(i + 1);
            }
        }
        catch (Exception exception)
        {
            Fail(exception);
            throw;
        }
    }

    /// <summary>Completes when the first <paramref name="count"/> tensors of the list are loaded.</summary>
    public Task WaitAsync(int count, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_loaded >= count)
                return Task.CompletedTask;
            if (_failure is not null)
                return Task.FromException(_failure);
            var waiter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiters.Enqueue(waiter, count);
            return waiter.Task.WaitAsync(cancellationToken);
        }
    }

    private void Reached(int count)
    {
        lock (_lock)
        {
            _loaded = count;
            while (_waiters.TryPeek(out TaskCompletionSource? waiter, out int needed) && needed <= count)
            {
                _waiters.Dequeue();
                waiter.TrySetResult();
            }
        }
    }

    private void Fail(Exception failure)
    {
        lock (_lock)
        {
            _failure = failure;
            while (_waiters.TryDequeue(out TaskCompletionSource? waiter, out _))
                waiter.TrySetException(failure);
        }
    }
}
