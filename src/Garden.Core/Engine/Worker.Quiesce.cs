namespace Garden;

/// <summary>Draining before memory is given up.</summary>
/// <remarks>
/// The worker closes the region itself, so that it knows what had been submitted by then: the transfers it runs and the ring up
/// to its tail. Those are marked and may go on; everything else is refused, so a busy engine does not keep a region registered.
/// </remarks>
internal sealed partial class Worker
{
    private readonly List<Quiesce> _quiesces = [];

    /// <summary>Closes a local region and completes when no running transfer reads it.</summary>
    /// <exception cref="ObjectDisposedException">The region is closed already.</exception>
    /// <exception cref="TimeoutException">Its transfers did not drain in time; it is open again.</exception>
    public async ValueTask QuiesceAsync(RegionHandle region, TimeSpan deadline, CancellationToken cancellationToken)
    {
        var quiesce = new Quiesce(region);
        bool queued = Enqueue(() => Begin(quiesce), exception => quiesce.Done.TrySetException(exception));
        ObjectDisposedException.ThrowIf(!queued, _engine);
        try
        {
            await quiesce.Done.Task.WaitAsync(deadline, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is TimeoutException or OperationCanceledException)
        {
            // Reopened by the worker, after whatever it still had queued for this region.
            Enqueue(() =>
            {
                // Also when the drain has ended in between: the caller was told that the region stays.
                _quiesces.Remove(quiesce);
                if (quiesce.Closed)
                    _engine.Regions.Reopen(region);
                quiesce.Abandoned = true;
            });
            if (exception is OperationCanceledException)
                throw;
            throw new TimeoutException($"Transfers from the region did not drain within {deadline.TotalSeconds:0.###} s; it stays registered. Cancel them, or wait longer.");
        }
    }

    private unsafe void Begin(Quiesce quiesce)
    {
        if (quiesce.Abandoned)
            return;
        if (!_engine.Regions.TryClose(quiesce.Region))
        {
            quiesce.Done.TrySetException(new ObjectDisposedException(nameof(MemoryRegion)));
            return;
        }

        quiesce.Closed = true;
        quiesce.Position = _ring.Tail;
        for (int i = 0; i < _records.Used; i++)
        {
            if ((_records[i]->Flags & TransferFlags.InUse) != 0 && (_records[i]->SourceMask & quiesce.Mask) != 0)
                _records[i]->Flags |= TransferFlags.Draining;
        }

        _quiesces.Add(quiesce);
    }

    /// <summary>A request that was in the ring when a region was closed may go on from it.</summary>
    private unsafe void MarkDraining(TransferRecord* record)
    {
        foreach (Quiesce quiesce in _quiesces)
        {
            if (_ring.Head < quiesce.Position && (record->SourceMask & quiesce.Mask) != 0)
                record->Flags |= TransferFlags.Draining;
        }
    }

    private void CheckQuiesces()
    {
        for (int i = _quiesces.Count - 1; i >= 0; i--)
        {
            Quiesce quiesce = _quiesces[i];
            if (_ring.Head < quiesce.Position || AnyDraining(quiesce.Mask))
                continue;
            _quiesces.RemoveAt(i);
            quiesce.Done.TrySetResult();
        }
    }

    private unsafe bool AnyDraining(uint mask)
    {
        for (int i = 0; i < _records.Used; i++)
        {
            TransferRecord* record = _records[i];
            if ((record->Flags & TransferFlags.Draining) != 0
                && (record->Flags & TransferFlags.InUse) != 0
                && (record->SourceMask & mask) != 0
                && (record->Outstanding != 0 || (record->Flags & TransferFlags.Stopping) == 0))
                return true;
        }

        return false;
    }

    /// <summary>A drain under way.</summary>
    private sealed class Quiesce(RegionHandle region)
    {
        public RegionHandle Region { get; } = region;

        public uint Mask { get; } = PlanValidator.MaskOf(region);

        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Ring position up to which submissions may still read the region.</summary>
        public long Position { get; set; }

        public bool Closed { get; set; }

        public bool Abandoned { get; set; }
    }
}
