namespace Garden.KvCache;

/// <summary>
/// Submits what the model loop reports as done: the worker calls it through a progress watcher, at once and on its own thread.
/// A refused submission is tried again by the worker; nothing is lost and nothing is allocated per layer.
/// </summary>
/// <remarks>
/// Protocol. Steps are (chunk, layer) pairs in order, then one step for the tail. The model loop writes the chunk or the
/// tail under the gate, then signals the watcher. The worker never waits for the gate: when it is taken, it says it got
/// nowhere and is called again. <see cref="Stop"/> sets its flag under the gate, so that when it returns nothing will be
/// submitted any more and the list of transfers does not change.
/// </remarks>
internal sealed class KvLayerPump<TTransfer>
    where TTransfer : unmanaged, IKvTransfer<TTransfer>
{
    /// <summary>Turns in a row without anything left to post: a NIC may keep what it was given last for one of them.</summary>
    private const int TurnsPosted = 3;

    /// <summary>The worker does not park meanwhile, and what a slow network refuses is not waited for.</summary>
    private const int MostTurnsWaited = 64;

    private readonly Lock _gate = new();
    private readonly TransferEngine _engine;
    private readonly TaskCompletionSource _quiescent = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<(int FirstToken, int TokenCount)> _chunks = [];
    private readonly int _device;
    private readonly int _layers;
    private KvTransferArguments _arguments;
    private SingleWrite _tail;
    private Transfer[] _transfers;
    private int _count;
    private KvDrainTally _ended = new();
    private ulong _submitted;
    private ulong _last = ulong.MaxValue;
    private int _turnsPosted;
    private int _turnsWaited;
    private bool _stopped;
    private Exception? _failure;

    public KvLayerPump(TransferEngine engine, int device, in KvTransferArguments arguments)
    {
        _engine = engine;
        _device = device;
        _arguments = arguments;
        _layers = arguments.LayerCount;
        _transfers = new Transfer[(_layers * 2) + 1];
    }

    /// <summary>Completes when nothing will be submitted any more: all is, or it was stopped.</summary>
    public Task Quiescent => _quiescent.Task;

    /// <summary>Why the pump stopped itself, or null.</summary>
    public Exception? Failure => _failure;

    /// <summary>Transfers submitted and not in <see cref="Ended"/>. Complete and constant once <see cref="Quiescent"/> has completed.</summary>
    public ReadOnlySpan<Transfer> Transfers => _transfers.AsSpan(0, _count);

    /// <summary>How the transfers ended that were consumed on the way. Constant once <see cref="Quiescent"/> has completed.</summary>
    public KvDrainTally Ended => _ended;

    public void UseSource(PageListHandle pages)
    {
        lock (_gate)
            _arguments.SourcePages = pages;
    }

    /// <summary>Adds a chunk; its layers are the next steps.</summary>
    public void AddChunk(int firstToken, int tokenCount)
    {
        lock (_gate)
            _chunks.Add((firstToken, tokenCount));
    }

    /// <summary>Adds the tail as the step after all chunks' layers; returns the number of steps to signal.</summary>
    public ulong AddTail(in SingleWrite tail)
    {
        lock (_gate)
        {
            _tail = tail;
            _last = (ulong)_chunks.Count * (ulong)_layers;
            return _last + 1;
        }
    }

    /// <summary>Nothing is submitted after this returns.</summary>
    public void Stop()
    {
        lock (_gate)
            _stopped = true;
        _quiescent.TrySetResult();
    }

    /// <summary>Worker: submits steps up to <paramref name="reached"/>; returns how far it got.</summary>
    public ulong Advance(ulong handled, ulong reached)
    {
        if (!_gate.TryEnter())
            return handled;
        ulong before = _submitted;
        try
        {
            while (!_stopped && _submitted < reached)
            {
                if (!TrySubmitNext(reached))
                    return _submitted;
            }
        }
        catch (Exception exception)
        {
            // A refused plan must end the job by name, not disappear in the worker's log.
            _failure = exception;
            _stopped = true;
        }
        finally
        {
            _gate.Exit();
        }

        if (!_stopped && _submitted <= _last)
            return reached;
        // Waking who waits for this takes as long as posting hundreds of writes, so those go first: this is called in every turn.
        if (_submitted != before || _engine.HasUnposted(_device))
            _turnsPosted = 0;
        if (!_stopped && ++_turnsPosted < TurnsPosted && ++_turnsWaited < MostTurnsWaited)
            return reached - 1;
        _quiescent.TrySetResult();
        return reached;
    }

    private bool TrySubmitNext(ulong reached)
    {
        Transfer transfer;
        ulong steps = 1;
        if (_submitted == _last)
        {
            if (!_engine.TrySubmit(_tail, default, out transfer))
                return false;
        }
        else
        {
            int chunk = (int)(_submitted / (ulong)_layers);
            int layer = (int)(_submitted % (ulong)_layers);
            // Layers of one chunk that are due together go as one plan.
            steps = Math.Min(Math.Min(reached, _last) - _submitted, (ulong)(_layers - layer));
            KvTransferArguments arguments = _arguments;
            (arguments.FirstToken, arguments.TokenCount) = _chunks[chunk];
            arguments.FirstLayer += layer;
            arguments.LayerCount = (int)steps;
            if (!_engine.TrySubmit(TTransfer.Create(arguments), default, out transfer))
                return false;
        }

        if (_count == _transfers.Length)
            ConsumeEnded();
        _transfers[_count++] = transfer;
        _submitted += steps;
        return true;
    }

    /// <summary>A long prompt in many chunks has more transfers than the engine: those that have ended are given back on the way.</summary>
    private void ConsumeEnded()
    {
        int kept = 0;
        foreach (Transfer transfer in Transfers)
        {
            if (transfer.IsCompleted)
                _ended.Take(transfer);
            else
                _transfers[kept++] = transfer;
        }

        _count = kept;
        if (kept > _transfers.Length / 2)
            Array.Resize(ref _transfers, _transfers.Length * 2);
    }
}
