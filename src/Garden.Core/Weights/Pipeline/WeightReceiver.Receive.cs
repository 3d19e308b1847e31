using System.Diagnostics;

namespace Garden.Weights;

/// <content>One update: offer, count, verify.</content>
public sealed partial class WeightReceiver<TMap>
{
    private static readonly TimeSpan s_mostDeadline = TimeSpan.FromDays(1);
    private const int MostMismatches = 64;
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
            // What was complete and not swapped in is overwritten.
            Volatile.Write(ref _pending, null);
            int buffer = _options.Buffers.Count == 1 ? 0 : 1 - (Current?.Buffer ?? 1);
            if (_options.Buffers.Count == 1)
                Volatile.Write(ref _current, null);
            await ReceiveAsync(step, _options.Buffers[buffer], deadline, cancellationToken).ConfigureAwait(false);
            var version = new WeightVersion(step, buffer);
            Volatile.Write(ref _pending, version);
            Tell(step, "");
            return version;
        }
        finally
        {
            Volatile.Write(ref _receiving, 0);
        }
    }

    private async Task ReceiveAsync(long step, MemoryRegion buffer, TimeSpan deadline, CancellationToken cancellationToken)
    {
        long began = Stopwatch.GetTimestamp();
        var counters = new List<(WeightSenderLink Link, ImmCounter Counter, long Units)>();
        try
        {
            await ConnectedAsync(step, deadline, cancellationToken).ConfigureAwait(false);
            foreach (WeightSenderLink link in _senders.Values.Where(link => link.Peer.State == PeerState.Ready))
                counters.Add(Offer(step, link, buffer));
            await CountAsync(step, counters, deadline - Stopwatch.GetElapsedTime(began), cancellationToken).ConfigureAwait(false);
            if (_hashes is not null)
                Verify(step, buffer, _hashes);
        }
        catch (Exception exception)
        {
            // Whoever still writes is refused from now on; then the trainers are told, of whom one may begin the next step at once.
            await FenceAsync(step, buffer, exception).ConfigureAwait(false);
            Tell(step, $"inference rank {Rank} ({_name}): {exception.Message}");
            throw;
        }
        finally
        {
            _counting.Clear();
            foreach ((_, ImmCounter counter, _) in counters)
                counter.Dispose();
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

    private (WeightSenderLink Link, ImmCounter Counter, long Units) Offer(long step, WeightSenderLink link, MemoryRegion buffer)
    {
        WeightContributor? contributor = Array.Find(_contributors, contributor => contributor.Rank == link.Rank);
        long units = contributor is null ? 0 : contributor.Units + WeightSendHashes.UnitsOf(contributor.Hashes);
        ImmCounter counter = _engine.AllocateCounter();
        try
        {
            MemoryRegionDescriptor? hashes = contributor is { Hashes: > 0 }
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

    private void Verify(long step, MemoryRegion buffer, WeightHashMemory hashes)
    {
        IWeightDevice device = _options.Device ?? HostWeightDevice.Instance;
        using IWeightQueue queue = device.CreateQueue();
        var hasher = new WeightHasher(device.Kind == MemoryKind.Host ? null : queue);
        hashes.Fetch();
        var mismatches = new List<WeightMismatch>();
        foreach (WeightContributor contributor in _contributors)
        {
            // Validate has checked that the tensors fit the buffer; the hashes' memory was made for all contributors.
            contributor.Verify((nint)buffer.Address + (nint)_options.Offset, hashes.Slice(contributor.FirstHash, contributor.Hashes), hasher, (pieces, block) =>
            {
                if (mismatches.Count == MostMismatches)
                    return;
                (WeightRun run, long first, long end) = WeightHasher.Locate(pieces, block);
                mismatches.Add(new WeightMismatch(
                    WeightTensors<TMap>.NameOf(run.Tensor), WeightPart.Of<TMap>()[run.Part].IsScales, contributor.Rank, Rank, first, end));
            });
        }

        if (mismatches.Count != 0)
            throw new WeightVerificationException(step, mismatches);
    }

    /// <summary>New keys for what was offered: nothing of the step that failed lands any more.</summary>
    private async Task FenceAsync(long step, MemoryRegion buffer, Exception cause)
    {
        try
        {
            await buffer.RenewAsync(_engine.Options.DrainDeadline, CancellationToken.None).ConfigureAwait(false);
            if (_hashes is not null)
                await _hashes.Region.RenewAsync(_engine.Options.DrainDeadline, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is GardenException or TimeoutException or ObjectDisposedException)
        {
            throw new WeightUpdateException(step, $"{cause.Message} Its buffer could not be fenced, so that it must not be offered again: {exception.Message}", new AggregateException(cause, exception));
        }
    }

    /// <summary>Tells all trainer ranks how the step ended, without waiting for one that does not listen; one that is gone need not know.</summary>
    private void Tell(long step, string failure)
    {
        byte[] message = new WeightReply(WeightMessageKind.Done, step, failure).ToBytes();
        foreach (WeightSenderLink link in _senders.Values)
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
}
