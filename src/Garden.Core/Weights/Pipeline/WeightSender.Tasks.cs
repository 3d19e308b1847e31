using System.Diagnostics;

namespace Garden.Weights;

/// <content>The stages of one task: gather, load, assemble, hash, write.</content>
public sealed partial class WeightSender<TMap>
{
    private async ValueTask RunTaskAsync(WeightStepRun run, int index, CancellationToken cancellationToken)
    {
        WeightTask task = _plan.Tasks[index];
        WeightTaskInput? input = _inputs[index];
        if (!run.AnyLive(_plan.SendsOf(in task)))
            return;
        int gather = -1, staging = -1;
        bool gathered = false;
        try
        {
            if (input is { InPlace: false })
            {
                gather = await _gather!.RentAsync(cancellationToken).ConfigureAwait(false);
                await GatherAsync(run, input, gather, cancellationToken).ConfigureAwait(false);
                gathered = true;
            }

            await run.Loader.WaitAsync(_loads.TaskEnds[index], cancellationToken).ConfigureAwait(false);
            if (task.StagingBytes != 0)
                staging = await _staging!.RentAsync(cancellationToken).ConfigureAwait(false);
            if (task.StagingBytes != 0 || _options.Verify)
            {
                WeightAssembler assembler = await _assemblers.Reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                try
                {
                    Assemble(run, index, assembler, gather, staging);
                }
                finally
                {
                    _assemblers.Writer.TryWrite(assembler);
                }
            }

            // The slot is the transfers' from here on, also when not all could be submitted.
            int submitted = staging;
            staging = -1;
            Submit(run, index, submitted);
        }
        finally
        {
            // After a failure another rank may still write what was asked for.
            if (gather >= 0 && gathered)
                _gather!.Return(gather);
            else if (gather >= 0)
                _gather!.Lose(gather);
            if (staging >= 0)
                _staging!.Return(staging);
        }
    }

    /// <summary>Asks the other holders of a task's elements for what this rank lacks, and waits until it is there.</summary>
    private async Task GatherAsync(WeightStepRun run, WeightTaskInput input, int slot, CancellationToken cancellationToken)
    {
        if (input.Others.Count == 0)
            return;
        long began = Stopwatch.GetTimestamp();
        (ImmCounter counter, long target) = run.Expect(_engine, slot, input.Others.Values.Sum(WeightTaskInput.UnitsOf));
        var peers = new List<Peer>();
        try
        {
            foreach ((int holder, WeightPiece[] pieces) in input.Others)
            {
                Peer peer = _trainers[holder].Peer;
                peers.Add(peer);
                foreach (WeightPiece[] part in pieces.Chunk(WeightGatherRequest.MostPieces(peer.MaxMessageLength)))
                {
                    var request = new WeightGatherRequest(run.Step, counter.Immediate, _gather!.OffsetOf(slot), _gather.Region.Export(), part);
                    // Not awaited: the counter's wait can be cancelled, a message that is not taken cannot.
                    if (!_engine.TrySend(peer, WeightChannels.ToTrainers(_options.Channel), request.ToBytes()))
                        throw new InvalidOperationException("Too many messages wait to be sent; raise TransferEngineOptions.MaxQueuedMessages.");
                }
            }

            await counter.WaitAsync(target, run.Left, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(peers), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            throw exception is OperationCanceledException ? exception : new WeightUpdateException(
                run.Step,
                $"trainer rank {Rank} ({_name}) lacks parts of blocks from trainer ranks {string.Join(", ", input.Others.Keys.Order().Select(rank => $"{rank} ({_trainers[rank].Name})"))}: {exception.Message}",
                exception);
        }
        finally
        {
            run.Stages.Gathered(began);
        }
    }

    private void Assemble(WeightStepRun run, int index, WeightAssembler assembler, int gather, int staging)
    {
        long began = Stopwatch.GetTimestamp();
        ref readonly WeightTask task = ref _plan.Tasks[index];
        nint tensors = TensorsAddress, staged = staging < 0 ? 0 : _staging!.AddressOf(staging);
        // The constructor has checked that the tensors fit their region, and slots are as large as the largest task needs.
        if (_inputs[index] is { } input)
        {
            assembler.Convert(in task, input, _plan.AssembliesOf(in task), tensors, gather < 0 ? 0 : _gather!.AddressOf(gather), staged);
        }
        else if (staging >= 0)
        {
            assembler.Pack(_plan.AssembliesOf(in task), tensors, staged);
        }

        run.Stages.Assembled(began);
        if (_hashes is null)
            return;
        began = Stopwatch.GetTimestamp();
        ReadOnlySpan<WeightPiece> pieces = _plan.Handle.Items;
        ReadOnlySpan<WeightSend> sends = _plan.SendsOf(in task);
        for (int i = 0; i < sends.Length; i++)
        {
            (_, long offset, _) = _receivers[sends[i].DestinationRank];
            Span<ulong> hashes = _hashes.Slice((offset / sizeof(ulong)) + _firstHash[_firstSend[index] + i], WeightHasher.BlocksOf(sends[i].Bytes));
            assembler.Hasher.Source(pieces.Slice(sends[i].FirstPiece, sends[i].PieceCount), tensors, staged, hashes);
        }

        run.Stages.Hashed(began);
    }

    /// <summary>Submits the writes of a task; its staging slot is free again when they have ended.</summary>
    private void Submit(WeightStepRun run, int index, int staging)
    {
        ref readonly WeightTask task = ref _plan.Tasks[index];
        var transfers = new List<(WeightStepTarget Target, Transfer Transfer, long Bytes)>();
        try
        {
            foreach (ref readonly WeightSend send in _plan.SendsOf(in task))
            {
                WeightStepTarget target = run.Targets[send.DestinationRank];
                if (target.IsLive && Submit(run, target, in send, staging) is { } transfer)
                    transfers.Add((target, transfer, send.Bytes));
            }
        }
        finally
        {
            run.Track(EndAsync(run, transfers, staging));
        }
    }

    /// <summary>Submits what a task writes to one receiver; null when that failed, and with it the receiver.</summary>
    private Transfer? Submit(WeightStepRun run, WeightStepTarget target, in WeightSend send, int staging)
    {
        try
        {
            run.Stages.Submitted();
            return _engine.Submit(
                new WeightWrites
                {
                    Source = _options.Tensors.Handle,
                    SourceOffset = _options.TensorsOffset,
                    Staging = _staging?.Region.Handle ?? default,
                    StagingOffset = staging < 0 ? 0 : _staging!.OffsetOf(staging),
                    Destination = target.Tensors!.Handle,
                    Immediate = target.Counter,
                    Route = _plan.Handle,
                    First = send.FirstPiece,
                    Count = send.PieceCount,
                },
                new SubmitOptions { Deadline = run.Left });
        }
        catch (Exception exception) when (exception is GardenException or TimeoutException)
        {
            Abandon(run, target, exception);
            return null;
        }
    }

    private async Task EndAsync(WeightStepRun run, List<(WeightStepTarget Target, Transfer Transfer, long Bytes)> transfers, int staging)
    {
        bool drained = true;
        foreach ((WeightStepTarget target, Transfer transfer, long bytes) in transfers)
        {
            try
            {
                await WeightStepRun.EndOf(transfer, run.Sending).ConfigureAwait(false);
                run.Stages.Written(bytes);
            }
            catch (OperationCanceledException)
            {
                // Whoever cancelled it says why.
            }
            catch (Exception exception)
            {
                drained &= exception is not TransferNotDrainedException;
                target.Fail(exception);
            }
        }

        // What did not drain may still be read: such a slot is not used again before its memory has new keys.
        if (staging >= 0 && drained)
            _staging!.Return(staging);
        else if (staging >= 0)
            _staging!.Lose(staging);
    }

    private void SubmitHashes(WeightStepRun run, WeightStepTarget target)
    {
        if (target.Hashes is null || _hashes is null || !_receivers.TryGetValue(target.Link.Rank, out (long Units, long HashOffset, int Hashes) receiver))
            return;
        try
        {
            Transfer transfer = _engine.SubmitSingleWrite(
                _hashes.Region, receiver.HashOffset, target.Hashes, 0, receiver.Hashes * (long)sizeof(ulong), target.Counter, new SubmitOptions { Deadline = run.Left });
            run.Track(EndAsync(run, [(target, transfer, 0)], -1));
        }
        catch (Exception exception) when (exception is GardenException or TimeoutException)
        {
            Abandon(run, target, exception);
        }
    }

    /// <summary>Working memory that another rank or a NIC may still use is made safe before it is used again.</summary>
    /// <exception cref="TimeoutException">It did not drain in time; the next step begins with it.</exception>
    private async Task RenewSlotsAsync()
    {
        if (_staging is not null)
            await _staging.RenewAsync(_engine.Options.DrainDeadline).ConfigureAwait(false);
        if (_gather is not null)
            await _gather.RenewAsync(_engine.Options.DrainDeadline).ConfigureAwait(false);
    }
}
