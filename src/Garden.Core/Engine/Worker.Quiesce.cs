namespace Garden;

/// <summary>Draining before memory is given up.</summary>
internal sealed partial class Worker
{
    private readonly List<(ulong Mask, long Position, TaskCompletionSource Done)> _quiesces = [];

    /// <summary>Completes when no running transfer has a source region in <paramref name="mask"/>.</summary>
    public async ValueTask QuiesceAsync(ulong mask, TimeSpan deadline, CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        long position = _ring.Tail;
        Enqueue(() => _quiesces.Add((mask, position, done)));
        try
        {
            await done.Task.WaitAsync(deadline, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"Transfers from the region did not drain within {deadline.TotalSeconds:0.###} s; it stays registered. Cancel them, or wait longer.");
        }
        finally
        {
            Enqueue(() => _quiesces.RemoveAll(quiesce => quiesce.Done == done));
        }
    }

    private void CheckQuiesces()
    {
        for (int i = _quiesces.Count - 1; i >= 0; i--)
        {
            (ulong mask, long position, TaskCompletionSource done) = _quiesces[i];
            if (_ring.Head < position || AnyTransferFrom(mask))
                continue;
            _quiesces.RemoveAt(i);
            done.TrySetResult();
        }
    }
}
