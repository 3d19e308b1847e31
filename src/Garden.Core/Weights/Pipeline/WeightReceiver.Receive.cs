using System.Diagnostics;

namespace Garden.Weights;

/// <content>One update: offer, count, verify.</content>
public sealed partial class WeightReceiver<TMap>
{
    private static readonly TimeSpan s_mostDeadline = TimeSpan.FromDays(1);
    private const int MostMismatches = 64;
    private const int MostHashers = 8;

    /// <summary>Memory that trainer ranks have keys of. Empty between steps, unless one could not be fenced.</summary>
    private readonly HashSet<MemoryRegion> _exposed = [];
    private long _lastStep;
    private int _receiving;

    /// <summary>
    /// Offers the buffer that is not served to all trainer ranks of the plan and completes when a step has arrived whole (and verified,
    /// where that is on). The server goes on with the version before until it calls <see cref="Swap"/>.
    /// </summary>
    /// <remarks>When it fails, what was offered is fenced before it returns: a late writer of this step is refused and cannot touch the next one.</remarks>
    /// <param name="step">The step's number, larger than any before; trainer ranks send the same one.</param>
    /// <param name="deadline">For all of it.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The version, which is now <see cref="Pending"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The step is not larger than the last one.</exception>
    /// <exception cref="InvalidOperationException">An update is being received.</exception>
    /// <exception cref="WeightVerificationException">What arrived is not what was sent.</exception>
    /// <exception cref="WeightUpdateException">A trainer rank died, gave up, or was late; the message names it.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async Task<WeightVersion> ReceiveAsync(long step, TimeSpan deadline, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(deadline, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(deadline, s_mostDeadline);
        if (Interlocked.Exchange(ref _receiving, 1) != 0)
            throw new InvalidOperationException("An update is being received on this rank; await it first.");
        try
        {
            if (step <= _lastStep)
                throw new ArgumentOutOfRangeException(nameof(step), step, $"The last step was {_lastStep}; steps only grow, or a late writer could not be told.");
            _lastStep = step;
            var version = new WeightVersion(step, await ReceiveWithinAsync(step, deadline, cancellationToken).ConfigureAwait(false));
            lock (_versions)
                Volatile.Write(ref _pending, version);
            Tell(step, "");
            return version;
        }
        finally
        {
            Volatile.Write(ref _receiving, 0);
        }
    }

    /// <summary>Receives a step whole; returns the number of its buffer.</summary>
    private async Task<int> ReceiveWithinAsync(long step, TimeSpan deadline, CancellationToken cancellationToken)
    {
        long began = Stopwatch.GetTimestamp();
        var counters = new List<(WeightSenderLink Link, ImmCounter Counter, long Units)>();
        bool offered = false, fenced = false;
        try
        {
            int buffer = await ChooseAsync(step, deadline, cancellationToken).ConfigureAwait(false);
            // What an earlier step could not fence is not offered again before it is.
            await FenceAsync(step, null).ConfigureAwait(false);
            await ConnectedAsync(step, deadline, cancellationToken).ConfigureAwait(false);
            offered = true;
            _exposed.Add(_options.Buffers[buffer]);
            if (_hashes is not null)
                _exposed.Add(_hashes.Region);
            // By the plan and not by who is ready: one that has died since must not be left out.
            foreach (WeightContributor contributor in _contributors)
                counters.Add(Offer(step, contributor, _options.Buffers[buffer]));
            OfferTurns(step, _options.Buffers[buffer]);
            await CountAsync(step, counters, deadline - Stopwatch.GetElapsedTime(began), cancellationToken).ConfigureAwait(false);
            if (_hashes is not null)
                await VerifyAsync(step, _options.Buffers[buffer], _hashes, deadline, deadline - Stopwatch.GetElapsedTime(began), cancellationToken).ConfigureAwait(false);
            _exposed.Clear();
            return buffer;
        }
        catch (Exception exception)
        {
            try
            {
                // Whoever still writes is refused from now on; then the trainers are told, of whom one may begin the next step at once.
                if (offered)
                    await FenceAsync(step, exception).ConfigureAwait(false);
                fenced = offered;
            }
            finally
            {
                Tell(step, $"inference rank {Rank} ({_name}): {exception.Message}");
            }

            throw;
        }
        finally
        {
            _counting.Clear();
            foreach ((_, ImmCounter counter, _) in counters)
                counter.Dispose(drainConfirmed: fenced);
        }
    }

    /// <summary>The buffer that is not served. A swap that is under way decides which one that is.</summary>
    private async Task<int> ChooseAsync(long step, TimeSpan deadline, CancellationToken cancellationToken)
    {
        long began = Stopwatch.GetTimestamp();
        while (true)
        {
            Task swapping;
            lock (_versions)
            {
                if (_swapping is null)
                {
                    // What was complete and not swapped in is overwritten.
                    Volatile.Write(ref _pending, null);
                    if (_options.Buffers.Count == 2)
                        return 1 - (Current?.Buffer ?? 1);
                    Volatile.Write(ref _current, null);
                    return 0;
                }

                swapping = _swapping.Task;
            }

            try
            {
                TimeSpan left = deadline - Stopwatch.GetElapsedTime(began);
                await swapping.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, cancellationToken).ConfigureAwait(false);
            }
            catch (TimeoutException exception)
            {
                throw new WeightUpdateException(step, $"the version before was still being swapped in after {deadline.TotalSeconds:0.###} s; does InvalidateCaches return?", exception);
            }
        }
    }

    /// <summary>Waits until every trainer rank of the plan has introduced itself and lives.</summary>
    private async Task ConnectedAsync(long step, TimeSpan deadline, CancellationToken cancellationToken)
    {
        long began = Stopwatch.GetTimestamp();
        while (true)
        {
            Task changed = Volatile.Read(ref _changed).Task;
            int[] missing = [.. _contributors.Select(static contributor => contributor.Rank).Where(rank => !IsReady(rank))];
            if (missing.Length == 0)
                return;
            TimeSpan left = deadline - Stopwatch.GetElapsedTime(began);
            try
            {
                await changed.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, cancellationToken).ConfigureAwait(false);
            }
            catch (TimeoutException exception)
            {
                throw new WeightUpdateException(step, $"trainer ranks {string.Join(", ", missing.Select(NameOf))} were not connected within {deadline.TotalSeconds:0.###} s.", exception);
            }
        }
    }

    private string NameOf(int trainerRank) =>
        _senders.TryGetValue(trainerRank, out WeightSenderLink? link) ? $"{trainerRank} ({link.Name}: {link.Peer.Failure?.Message ?? "ready"})" : $"{trainerRank} (never seen)";

    private (WeightSenderLink Link, ImmCounter Counter, long Units) Offer(long step, WeightContributor contributor, MemoryRegion buffer)
    {
        if (!_senders.TryGetValue(contributor.Rank, out WeightSenderLink? link))
            throw new WeightUpdateException(step, $"trainer rank {NameOf(contributor.Rank)} is not connected.");
        long units = contributor.Units + WeightSendHashes.UnitsOf(contributor.Hashes);
        ImmCounter counter = _engine.AllocateCounter();
        try
        {
            MemoryRegionDescriptor? hashes = contributor.Hashes > 0
                ? _hashes!.Region.Export(contributor.FirstHash * (long)sizeof(ulong), contributor.Hashes * (long)sizeof(ulong))
                : null;
            _counting[link.Peer] = (step, counter);
            var offer = new WeightOffer(step, counter.Immediate, units, buffer.Export(_options.Offset, _tensorBytes), hashes);
            return _engine.TrySend(link.Peer, WeightChannels.ToTrainers(_options.Channel), offer.ToBytes())
                ? (link, counter, units)
                : throw new InvalidOperationException("too many messages wait to be sent; raise TransferEngineOptions.MaxQueuedMessages.");
        }
        catch (Exception exception)
        {
            counter.Dispose(drainConfirmed: true);
            throw new WeightUpdateException(step, $"{link} could not be offered the step: {exception.Message}", exception);
        }
    }

    /// <summary>Trainer ranks that send nothing here only hear how the step ends. Nothing depends on them, and there is nothing to count.</summary>
    private void OfferTurns(long step, MemoryRegion buffer)
    {
        byte[] offer = new WeightOffer(step, default, 0, buffer.Export(_options.Offset, _tensorBytes), null).ToBytes();
        foreach (WeightSenderLink link in _senders.Values)
        {
            if (!Array.Exists(_contributors, contributor => contributor.Rank == link.Rank))
                TrySend(step, link, offer);
        }
    }

    /// <summary>Waits for all units of all trainer ranks. The first one that cannot send any more ends the wait for the others.</summary>
    private static async Task CountAsync(
        long step, IReadOnlyList<(WeightSenderLink Link, ImmCounter Counter, long Units)> counters, TimeSpan left, CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Exception?[] failures = await Task.WhenAll(counters.Select(async entry =>
        {
            try
            {
                await entry.Counter.WaitAsync(entry.Units, left > TimeSpan.Zero ? left : TimeSpan.Zero, [entry.Link.Peer], ended.Token).ConfigureAwait(false);
                return null;
            }
            catch (Exception exception) when (exception is GardenException or TimeoutException or OperationCanceledException)
            {
                // At the deadline all waits end by themselves, so that each one that is late is named.
                if (exception is not TimeoutException)
                    await ended.CancelAsync().ConfigureAwait(false);
                return exception;
            }
        })).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        string[] named = [.. failures.Zip(counters)
            .Where(static pair => pair.First is not (null or OperationCanceledException))
            .Select(static pair => $"{pair.Second.Link}: {pair.First!.Message.TrimEnd('.')}")];
        if (named.Length != 0)
            throw new WeightUpdateException(step, $"{string.Join("; ", named)}.", failures.FirstOrDefault(static failure => failure is not (null or OperationCanceledException)));
    }

    /// <summary>Compares hashes, several trainer ranks' at a time.</summary>
    private async Task VerifyAsync(long step, MemoryRegion buffer, WeightHashMemory hashes, TimeSpan deadline, TimeSpan left, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        hashes.Fetch();
        IWeightDevice device = _options.Device ?? HostWeightDevice.Instance;
        var mismatches = new List<WeightMismatch>();
        try
        {
            // The server goes on meanwhile, and has the other half of the cores.
            await Parallel.ForEachAsync(
                _contributors,
                new ParallelOptions { MaxDegreeOfParallelism = Math.Clamp(Environment.ProcessorCount / 2, 1, MostHashers), CancellationToken = limit.Token },
                (contributor, token) =>
                {
                    Verify(contributor, buffer, device, hashes, mismatches, token);
                    return ValueTask.CompletedTask;
                }).ConfigureAwait(false);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new WeightUpdateException(step, $"everything had come, but its hashes were not compared within {deadline.TotalSeconds:0.###} s.", exception);
        }

        if (mismatches.Count != 0)
            throw new WeightVerificationException(step, [.. mismatches.OrderBy(static mismatch => (mismatch.SourceRank, mismatch.First)).Take(MostMismatches)]);
    }

    private void Verify(
        WeightContributor contributor, MemoryRegion buffer, IWeightDevice device, WeightHashMemory hashes, List<WeightMismatch> mismatches, CancellationToken cancellationToken)
    {
        using IWeightQueue queue = device.CreateQueue();
        var hasher = new WeightHasher(device.Kind == MemoryKind.Host ? null : queue);
        int found = 0;
        // Validate has checked that the tensors fit the buffer; the hashes' memory was made for all contributors.
        contributor.Verify((nint)buffer.Address + (nint)_options.Offset, hashes.Slice(contributor.FirstHash, contributor.Hashes), hasher, (pieces, block) =>
        {
            if (++found > MostMismatches)
                return;
            (WeightRun run, long first, long end) = WeightHasher.Locate(pieces, block);
            var mismatch = new WeightMismatch(
                WeightTensors<TMap>.NameOf(run.Tensor), WeightPart.Of<TMap>()[run.Part].IsScales, contributor.Rank, Rank, first, end);
            lock (mismatches)
                mismatches.Add(mismatch);
        }, cancellationToken);
    }

    /// <summary>New keys for what was offered in a step that failed: nothing of it lands any more. What cannot be fenced stays marked.</summary>
    private async Task FenceAsync(long step, Exception? cause)
    {
        try
        {
            foreach (MemoryRegion region in _exposed.ToArray())
            {
                await region.RenewAsync(_engine.Options.DrainDeadline, CancellationToken.None).ConfigureAwait(false);
                _exposed.Remove(region);
            }
        }
        catch (Exception exception) when (exception is GardenException or TimeoutException or ObjectDisposedException)
        {
            throw new WeightUpdateException(
                step,
                $"{(cause is null ? "" : $"{cause.Message} ")}memory offered in a step that failed could not be fenced, without which it is not offered again: {exception.Message}",
                cause is null ? exception : new AggregateException(cause, exception));
        }
    }

    /// <summary>Tells all trainer ranks how the step ended, without waiting for one that does not listen; one that is gone need not know.</summary>
    private void Tell(long step, string failure)
    {
        byte[] message = new WeightReply(WeightMessageKind.Done, step, failure).ToBytes();
        foreach (WeightSenderLink link in _senders.Values)
            TrySend(step, link, message);
    }

    private void TrySend(long step, WeightSenderLink link, byte[] message)
    {
        try
        {
            if (!_engine.TrySend(link.Peer, WeightChannels.ToTrainers(_options.Channel), message))
                WeightLog.TrainerNotTold(_options.Logger, link.Rank, step, "too many messages wait to be sent");
        }
        catch (PeerFailedException exception)
        {
            WeightLog.TrainerNotTold(_options.Logger, link.Rank, step, exception.Message);
        }
    }
}
