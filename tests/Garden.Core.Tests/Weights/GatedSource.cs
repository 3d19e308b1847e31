using Garden.Weights;

namespace Garden.Core.Tests.Weights;

/// <summary>Tensors that are there already, but of which one is not given out before the test says so: the middle of an update.</summary>
internal sealed class GatedSource(int gatedCall) : IWeightSource
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _calls;

    /// <summary>Loads that pass before the gate; those of earlier steps count too.</summary>
    public Task Reached => _reached.Task;

    public void Open(Exception? failure = null)
    {
        if (failure is null)
            _opened.TrySetResult();
        else
            _opened.TrySetException(failure);
    }

    public async ValueTask LoadAsync(int tensor, WeightHolding holding, nint memory, CancellationToken cancellationToken)
    {
        if (_calls++ != gatedCall)
            return;
        _reached.TrySetResult();
        // Not the update's token: a writer that is late does not know it.
        await _opened.Task;
    }
}
