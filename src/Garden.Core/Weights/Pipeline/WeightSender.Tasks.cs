using System.Diagnostics;

namespace Garden.Weights;

/// <content>The stages of one task: gather, load, assemble, hash, write.</content>
public sealed partial class WeightSender<TMap>
{
    private bool _gatherFailed;

    private async ValueTask RunTaskAsync(WeightStepRun run, int index, CancellationToken cancellationToken)
    {
        WeightTask task = _plan.Tasks[index];
        WeightTaskInput? input = _inputs[index];
        if (!run.AnyLive(_plan.SendsOf(in task)))
            return;
        int gather = -1, staging = -1;
        try
        {
            if (input is { InPlace: false })
            {
                gather = await _gather!.RentAsync(cancellationToken).ConfigureAwait(false);
                await GatherAsync(run, input, gather, cancellationToken).ConfigureAwait(false);
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

            Submit(run, index, staging);
            staging = -1;
        }
        finally
        {
            if (gather >= 0)
                _gather!.Return(gather);
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
            _gatherFailed = true;
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
        foreach (ref readonly WeightSend send in _plan.SendsOf(in task))
        {
            WeightStepTarget target = run.Targets[send.DestinationRank];
            if (!target.IsLive)
                continue;
            try
            {
                run.Stages.Submitted();
                Transfer transfer = _engine.Submit(
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
                transfers.Add((target, transfer, send.Bytes));
            }
            catch (Exception exception) when (exception is GardenException or TimeoutException)
            {
                target.Fail(exception);
            }
        }

        run.Track(EndAsync(run, transfers, staging));
    }

    private async Task EndAsync(WeightStepRun run, List<(WeightStepTarget Target, Transfer Transfer, long Bytes)> transfers, int staging)
    {
        bool drained = true;
        foreach ((WeightStepTarget target, Transfer transfer, long bytes) in transfers)
        {
            try
            {
                await run.EndOf(transfer).ConfigureAwait(false);
                run.Stages.Written(bytes);
            }
            catch (Exception exception)
            {
                drained &= exception is not TransferNotDrainedException;
                target.Fail(exception);
            }
        }

        // What did not drain may still be read: such a slot is lost rather than used again.
        if (staging >= 0 && drained)
            _staging!.Return(staging);
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
            target.Fail(exception);
        }
    }

    /// <summary>After a failure another rank may still be writing what was gathered: the keys it has are made worthless before the buffers are used again.</summary>
    private async Task FenceGathersAsync()
    {
        if (_gather is null || !_gatherFailed)
            return;
        await _gather.Region.RenewAsync(_engine.Options.DrainDeadline, CancellationToken.None).ConfigureAwait(false);
        _gatherFailed = false;
    }
}
