namespace Garden.Weights;

/// <content>One update: offers, stages, barrier.</content>
public sealed partial class WeightSender<TMap>
{
    private static readonly TimeSpan s_mostDeadline = TimeSpan.FromDays(1);
    private long _lastStep;
    private int _updating;
    private Task _stuckLoad = Task.CompletedTask;
    private bool _serving;

    /// <summary>
    /// Sends one update to all connected inference ranks and waits until each has everything, from all trainer ranks, or has failed, and
    /// until no other trainer rank gathers from this one: its tensors must stay as they are for that long.
    /// </summary>
    /// <param name="step">Its number, larger than that of any update before. Receivers must be waiting for the same number.</param>
    /// <param name="deadline">For all of it.</param>
    /// <param name="cancellationToken">Ends the update; what is posted drains first.</param>
    /// <returns>Who does not have the update, if anyone, and where the time went.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The step is not larger than the last one.</exception>
    /// <exception cref="InvalidOperationException">An update is running, a rank of the plan was never connected, or the source still loads for a step that has ended.</exception>
    /// <exception cref="WeightUpdateException">This rank could not do its part: a tensor could not be loaded, or another trainer rank failed. Receivers are told at once.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async Task<WeightStepReport> UpdateAsync(long step, TimeSpan deadline, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(deadline, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(deadline, s_mostDeadline);
        RequireConnected();
        if (Interlocked.Exchange(ref _updating, 1) != 0)
            throw new InvalidOperationException("An update is running on this rank; await it first.");
        try
        {
            if (!_stuckLoad.IsCompleted)
                throw new InvalidOperationException($"The source still loads a tensor for step {_lastStep}, which has ended; an IWeightSource must heed its token.");
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(deadline);
            using WeightStepRun run = Begin(step, deadline, limit);
            return await RunAsync(run, deadline, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Volatile.Write(ref _updating, 0);
        }
    }

    /// <summary>True while an update runs of which every receiver has offered its memory.</summary>
    internal bool IsWriting
    {
        get
        {
            lock (_lock)
                return _run is { } run && run.Targets.Values.All(static target => target.IsLive);
        }
    }

    /// <summary>True while nothing but other trainer ranks keeps an update running.</summary>
    internal bool IsServing => Volatile.Read(ref _serving);

    private void RequireConnected()
    {
        if (_receivers.Keys.Where(rank => !_links.ContainsKey(rank)).Order().ToArray() is { Length: > 0 } receivers)
            throw new InvalidOperationException($"This rank sends to inference ranks {string.Join(", ", receivers)}, which were never connected; call ConnectReceiverAsync for each.");
        if (GatherRanks.Where(rank => !_trainers.ContainsKey(rank)).ToArray() is { Length: > 0 } trainers)
            throw new InvalidOperationException($"This rank converts blocks that trainer ranks {string.Join(", ", trainers)} hold parts of; call ConnectTrainerAsync for each.");
        if (_links.IsEmpty)
            throw new InvalidOperationException("This rank sends to no inference rank; connect it to any, from which it hears when a step is complete.");
    }

    private WeightStepRun Begin(long step, TimeSpan deadline, CancellationTokenSource limit)
    {
        lock (_lock)
        {
            if (step <= _lastStep)
                throw new ArgumentOutOfRangeException(nameof(step), step, $"The last step was {_lastStep}; steps only grow, or a receiver could not tell a late writer.");
            var run = new WeightStepRun(step, deadline, _links.ToDictionary(static link => link.Key, static link => new WeightStepTarget(link.Value)), limit) { Served = _gatherers.Begin(step) };
            _lastStep = step;
            _run = run;
            foreach ((Peer peer, WeightGatherRequest request) in _earlyRequests.Where(early => early.Request.Step == run.Step))
                run.Track(Task.Run(() => ServeAsync(run, peer, request)));
            _earlyRequests.RemoveAll(early => early.Request.Step <= run.Step);
            return run;
        }
    }

    private async Task<WeightStepReport> RunAsync(WeightStepRun run, TimeSpan deadline, CancellationToken cancellationToken)
    {
        Task loading = Task.Run(() => run.Loader.RunAsync(_options.Source, _loads, TensorsAddress, run.Stages, run.Token), CancellationToken.None);
        try
        {
            await RunTasksAsync(run).ConfigureAwait(false);
            await loading.WaitAsync(run.Sending).ConfigureAwait(false);
            _hashes?.Publish();
            foreach (WeightStepTarget target in run.Targets.Values.Where(static target => target.IsLive))
                SubmitHashes(run, target);
            await run.DrainAsync().ConfigureAwait(false);
            await Task.WhenAll(run.Targets.Values.Select(target => CloseAsync(run, target))).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (run.NobodyIsLeft && !run.Token.IsCancellationRequested)
        {
            // Each receiver has its own failure; what this rank holds is served all the same.
        }
        catch (OperationCanceledException) when (run.Token.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            GiveUp(run, new TimeoutException($"The update did not complete in {deadline.TotalSeconds:0.###} s on trainer rank {Rank} ({_name})."));
        }
        catch (Exception exception)
        {
            GiveUp(run, exception);
            if (exception is OperationCanceledException)
                throw;
            throw exception as WeightUpdateException ?? new WeightUpdateException(run.Step, $"trainer rank {Rank} ({_name}) could not do its part: {exception.Message}", exception);
        }
        finally
        {
            await StayAsync(run, loading).ConfigureAwait(false);
            await LeaveAsync(run, loading).ConfigureAwait(false);
        }

        return new WeightStepReport(
            run.Step,
            [.. run.Targets.Values.Where(static target => target.Failure is not null)
                .OrderBy(static target => target.Link.Rank)
                .Select(static target => new WeightRankFailure(target.Link.Rank, target.Link.Name, target.Failure!))],
            run.Stages.Result())
        {
            LateTrainers = run.LateTrainers,
        };
    }

    /// <summary>Opens the step at the receivers and runs the plan's tasks.</summary>
    private async Task RunTasksAsync(WeightStepRun run)
    {
        try
        {
            await RenewSlotsAsync().ConfigureAwait(false);
            using (var patience = CancellationTokenSource.CreateLinkedTokenSource(run.Sending))
                await Task.WhenAll(run.Targets.Values.Select(target => OpenAsync(run, target, patience))).ConfigureAwait(false);
            await Parallel.ForAsync(
                0,
                _plan.Tasks.Length,
                // Enough that gathering, assembling and writing have a task each; slots bound how far they run ahead.
                new ParallelOptions { MaxDegreeOfParallelism = _options.Assemblers + 3, CancellationToken = run.Sending },
                (index, token) => RunTaskAsync(run, index, token)).ConfigureAwait(false);
        }
        finally
        {
            // However it ended, and before this rank waits for anybody else.
            TellGathered(run);
        }
    }

    /// <summary>The barrier among trainer ranks: waits until nobody gathers here any more, whatever became of what this rank sends itself.</summary>
    private async Task StayAsync(WeightStepRun run, Task loading)
    {
        Volatile.Write(ref _serving, true);
        // What cannot be loaded cannot be served; those who ask are refused.
        Task served = run.Served.WaitAsync(run.Token);
        if (await Task.WhenAny(served, loading).ConfigureAwait(false) == served || loading.IsCompletedSuccessfully)
            await served.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!run.Served.IsCompleted)
            run.LateTrainers = _gatherers.Owed;
        // They have it: the writes have landed, and only their completions may be on the way.
        else if (loading.IsCompletedSuccessfully)
            await run.DrainAsync().ConfigureAwait(false);
        Volatile.Write(ref _serving, false);
    }

    /// <summary>Nothing of the step reads the tensors or writes the buffers when the caller goes on.</summary>
    private async Task LeaveAsync(WeightStepRun run, Task loading)
    {
        lock (_lock)
            (_run, _ended) = (null, run.Cause?.Message);
        run.Cancel();
        // A source that does not heed its token is left behind; there are no further updates before it returns.
        await loading.WaitAsync(_engine.Options.DrainDeadline, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stuckLoad = loading;
        await run.DrainAsync().ConfigureAwait(false);
        try
        {
            await RenewSlotsAsync().ConfigureAwait(false);
            run.IsFenced = true;
        }
        catch (Exception exception) when (exception is GardenException or TimeoutException or ObjectDisposedException)
        {
            // The next step begins with it, and fails where it fails again. What ended this one is worth more to the caller.
        }
    }

    private unsafe nint TensorsAddress => (nint)((byte*)_options.Tensors.Address + _options.TensorsOffset);

    /// <summary>Waits until a receiver offers the step; a receiver that does not fails alone.</summary>
    private async Task OpenAsync(WeightStepRun run, WeightStepTarget target, CancellationTokenSource patience)
    {
        try
        {
            WeightOffer offer = await target.Link.Offers.TakeAsync(run.Step, patience.Token).ConfigureAwait(false);
            // From here on those who are late hold up those who are not.
            if (run.IsFirstOffer())
                patience.CancelAfter(_options.OfferDeadline);
            (long units, _, int hashes) = _receivers.GetValueOrDefault(target.Link.Rank);
            long expected = units + (_options.Verify ? WeightSendHashes.UnitsOf(hashes) : 0);
            if (offer.Units != expected)
                throw new WeightUpdateException(run.Step, $"inference rank {target.Link.Rank} ({target.Link.Name}) expects {offer.Units} units; this plan sends {expected}.");
            if (target.Link.Ends.Find(run.Step) is { Length: > 0 } ended)
                throw new WeightUpdateException(run.Step, ended);
            target.Counter = offer.Counter;
            if (offer.Hashes is not null)
                target.Hashes = target.Link.Peer.Import(offer.Hashes);
            target.Tensors = target.Link.Peer.Import(offer.Memory);
        }
        catch (OperationCanceledException)
        {
            Abandon(run, target, new TimeoutException($"It did not offer step {run.Step} in time; is it waiting for that step?"));
        }
        catch (GardenException exception)
        {
            Abandon(run, target, exception);
        }
    }

    /// <summary>The barrier: waits until a receiver has said how the step ended there.</summary>
    private async Task CloseAsync(WeightStepRun run, WeightStepTarget target)
    {
        if (target.Failure is not null)
            return;
        try
        {
            string failure = await target.Link.Ends.TakeAsync(run.Step, run.Token).ConfigureAwait(false);
            if (failure.Length != 0)
                target.Fail(new WeightUpdateException(run.Step, failure));
        }
        catch (OperationCanceledException)
        {
            Abandon(run, target, new TimeoutException("It has not said that it has everything."));
        }
        catch (GardenException exception)
        {
            target.Fail(exception);
        }
    }

    /// <summary>Tells receivers that the step will not complete, so that they need not wait for their deadlines.</summary>
    private void GiveUp(WeightStepRun run, Exception cause)
    {
        run.Cause = cause;
        foreach (WeightStepTarget target in run.Targets.Values)
            Abandon(run, target, cause);
        run.StopWhenNobodyIsLeft();
    }
}
