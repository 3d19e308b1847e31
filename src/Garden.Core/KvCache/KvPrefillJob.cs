using System.Diagnostics;
using Garden.Fabric;

namespace Garden.KvCache;

/// <summary>
/// One request on the prefiller's side. The model loop hands over source pages, reports layers as they are done, which sends
/// them at once, and finishes with the tail:
/// <c>UsePages → (BeginChunk → LayerDone × layers) × chunks → FinishAsync</c>. A tail in registered memory goes without the model
/// loop's thread: <c>UseTail → … → TailDone → FinishAsync</c>. Always dispose a job.
/// </summary>
/// <typeparam name="TTransfer">The generated plan.</typeparam>
/// <remarks>The members are for one caller at a time, the model loop; <see cref="LayerDone"/> allocates nothing.</remarks>
public sealed class KvPrefillJob<TTransfer> : IAsyncDisposable
    where TTransfer : unmanaged, IKvTransfer<TTransfer>
{
    private readonly KvPrefiller<TTransfer> _prefiller;
    private readonly KvRequestBody _body;
    private readonly RemoteRegion _tailRegion;
    private readonly KvLayerPump<TTransfer> _pump;
    private readonly PageList _destinationPages;
    private readonly ProgressWatcher _watcher;
    private readonly CancellationTokenSource _cancelled = new();
    private readonly Activity? _activity;
    private KvPageLease? _lease;
    private PageList? _pages;
    private Exception? _stopCause;
    private SingleWrite _tail;
    private bool _hasTail;
    private bool _tailSent;
    private int _tailSlot = -1;
    private int _nextToken;
    private int _chunks;
    private int _layersDone;
    private long _lastLayerDone;
    private int _ended;

    internal KvPrefillJob(KvPrefiller<TTransfer> prefiller, Peer decoder, ulong sequence, KvRequestBody body, RemoteRegion pool, RemoteRegion tail)
    {
        _prefiller = prefiller;
        _body = body;
        _tailRegion = tail;
        Decoder = decoder;
        Sequence = sequence;
        _nextToken = body.FirstToken;
        _layersDone = body.LayerCount;
        ActivityContext.TryParse(body.TraceParent, null, isRemote: true, out ActivityContext parent);
        // The span is the job's, not the protocol loop's, which makes other jobs after this one.
        Activity? current = Activity.Current;
        _activity = GardenMetrics.Activities.StartActivity("kv.prefill", ActivityKind.Server, parent);
        Activity.Current = current;
        _destinationPages = PageList.Create(body.Pages);
        _pump = new KvLayerPump<TTransfer>(prefiller.Engine, prefiller.Options.Device, new KvTransferArguments
        {
            Source = prefiller.Options.Pool.Handle,
            SourceOffset = prefiller.Options.PoolOffset,
            SourcePoolPages = prefiller.Options.PoolPages,
            SourceRank = body.SourceRank,
            Destination = pool.Handle,
            DestinationOffset = body.PoolOffset,
            DestinationPoolPages = body.PoolPages,
            DestinationRank = body.DestinationRank,
            DestinationPages = _destinationPages.Handle,
            FirstLayer = body.FirstLayer,
            LayerCount = body.LayerCount,
            Immediate = body.Immediate,
        });
        _watcher = prefiller.Engine.AllocateProgressWatcher(_pump.Advance, prefiller.Options.Device);
        Drained = DrainAsync();
    }

    /// <summary>Chunks begin and end at multiples of this many tokens (but for the request's ends), so that both sides count the same units however the prompt is cut.</summary>
    public static int ChunkMultiple { get; } = LeastCommonMultiple(TTransfer.SourceTokensPerPage, TTransfer.DestinationTokensPerPage);

    /// <summary>The decoder that asked.</summary>
    public Peer Decoder { get; }

    /// <summary>The request's number in the decoder's session.</summary>
    public ulong Sequence { get; }

    /// <summary>What the decoder said about the request; opaque to Garden.</summary>
    public ReadOnlyMemory<byte> Payload => _body.Payload;

    /// <summary>First token to send, counted from the first page.</summary>
    public int FirstToken => _body.FirstToken;

    /// <summary>Tokens to send.</summary>
    public int TokenCount => _body.TokenCount;

    /// <summary>First layer to send.</summary>
    public int FirstLayer => _body.FirstLayer;

    /// <summary>Layers to send.</summary>
    public int LayerCount => _body.LayerCount;

    /// <summary>Length in bytes the tail must have.</summary>
    public int TailLength => _body.TailLength;

    /// <summary>Source pages the job needs.</summary>
    public int PageCount => TokenCount == 0 ? 0 : (int)(((long)FirstToken + TokenCount + TTransfer.SourceTokensPerPage - 1) / TTransfer.SourceTokensPerPage);

    /// <summary>Cancelled when the decoder cancels the request, dies, or a write fails: the model loop may stop computing.</summary>
    public CancellationToken Cancelled => _cancelled.Token;

    /// <summary>
    /// Completes when the last layer and the tail have been handed to the engine, or the job was stopped before: the model loop may go on to its next
    /// prompt. For loops that report layers from progress handlers, where a wake of their own would be in the way of the writes.
    /// </summary>
    public Task Submitted => _pump.Quiescent;

    internal Task<KvDrain> Drained { get; }

    /// <summary>Why the job was stopped, or null.</summary>
    internal Exception? StopCause => Volatile.Read(ref _stopCause);

    /// <summary>Hands over the source pages. They go back to their pool when nothing is sent from them any more, or are leaked when that cannot be confirmed.</summary>
    /// <exception cref="PlanException">There are fewer than <see cref="PageCount"/>.</exception>
    /// <exception cref="InvalidOperationException">The job has pages already.</exception>
    public void UsePages(KvPageLease pages)
    {
        ArgumentNullException.ThrowIfNull(pages);
        if (_lease is not null)
            throw new InvalidOperationException("The job has its pages already.");
        if (pages.Count < PageCount)
            throw new PlanException($"Tokens [{FirstToken}, {FirstToken + TokenCount}) need {PageCount} source pages of {TTransfer.SourceTokensPerPage}; the lease has {pages.Count}.");
        _pages = PageList.Create(pages.Pages);
        _lease = pages;
        _pump.UseSource(_pages.Handle);
    }

    /// <summary>Begins the next chunk of the prompt. Without it the whole prompt is one chunk.</summary>
    /// <exception cref="ArgumentException">The chunk does not continue the one before, or ends inside a page; the message says where it may.</exception>
    /// <exception cref="InvalidOperationException">The chunk before has layers left, or there are no source pages.</exception>
    public void BeginChunk(int firstToken, int tokenCount)
    {
        if (_lease is null)
            throw new InvalidOperationException("Hand over source pages with UsePages first.");
        if (_layersDone != LayerCount)
            throw new InvalidOperationException($"{LayerCount - _layersDone} layers of the chunk before are not done.");
        int last = FirstToken + TokenCount;
        if (firstToken != _nextToken || tokenCount <= 0 || tokenCount > last - firstToken)
            throw new ArgumentException($"The chunk [{firstToken}, {firstToken} + {tokenCount}) does not continue at token {_nextToken} within [{FirstToken}, {last}).");
        int end = firstToken + tokenCount;
        if (end != last && end % ChunkMultiple != 0)
            throw new ArgumentException($"A chunk ends at a multiple of {ChunkMultiple} tokens, whole pages of both sides, or at the last token {last}; got {end}. Otherwise the two sides would count different units.");
        _nextToken = end;
        _layersDone = 0;
        _chunks++;
        _pump.AddChunk(firstToken, tokenCount);
    }

    /// <summary>Reports that a layer of the current chunk lies in the source pages; it is sent at once. Layers are reported in order, several may be reported by the last of them.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The layer is not after the one reported before.</exception>
    public void LayerDone(int layer)
    {
        if (_chunks == 0)
            BeginChunk(FirstToken, TokenCount);
        int done = layer - FirstLayer + 1;
        if (done <= _layersDone || done > LayerCount)
            throw new ArgumentOutOfRangeException(nameof(layer), layer, $"Layers {FirstLayer + _layersDone} to {FirstLayer + LayerCount - 1} are left of this chunk.");
        _layersDone = done;
        _lastLayerDone = Stopwatch.GetTimestamp();
        _watcher.Signal(((ulong)(_chunks - 1) * (ulong)LayerCount) + (ulong)done);
    }

    /// <summary>
    /// Says where the tail will lie when <see cref="TailDone"/> is called: in any memory that is registered with the prefiller's device, a GPU's as well,
    /// so that a kernel leaves it there and no host copies it. It stays as it is until the job has ended.
    /// </summary>
    /// <param name="region">A region of the prefiller's engine.</param>
    /// <param name="offset">Byte offset of the tail in it.</param>
    /// <exception cref="PlanException">The tail does not fit there.</exception>
    public void UseTail(MemoryRegion region, long offset)
    {
        ArgumentNullException.ThrowIfNull(region);
        if (offset < 0 || offset > region.Length - TailLength)
            throw new PlanException($"The tail [{offset}, {offset} + {TailLength}) lies outside the region, which has {region.Length} bytes.");
        _tail = new SingleWrite(region.Handle, offset, _tailRegion.Handle, _body.TailOffset, TailLength, _body.Immediate);
        _hasTail = true;
    }

    /// <summary>Reports that the tail lies where <see cref="UseTail"/> said, or that there is none; it is sent at once. After the last layer, also from a progress handler. Allocates nothing.</summary>
    /// <exception cref="InvalidOperationException">Layers are left, nobody said where the tail lies, or it was sent already.</exception>
    public void TailDone()
    {
        RequireAllLayers();
        if (_tailSent || (TailLength != 0 && !_hasTail))
            throw new InvalidOperationException(_tailSent ? "The tail was sent already." : $"Say with UseTail where the {TailLength} bytes of the tail lie.");
        SendTail(_hasTail ? _tail : _prefiller.Tails.Write(-1, 0, _tailRegion, _body));
    }

    /// <summary>Sends the tail, unless <see cref="TailDone"/> has, and completes when everything of the job has been sent and the source pages have gone back.</summary>
    /// <param name="tail">The tail, copied before it is sent; empty when there is none, or after <see cref="TailDone"/>.</param>
    /// <param name="cancellationToken">Stops the job.</param>
    /// <exception cref="ArgumentException">The tail has another length than <see cref="TailLength"/>.</exception>
    /// <exception cref="InvalidOperationException">Layers are left, or the tail was sent already.</exception>
    /// <exception cref="OperationCanceledException">The decoder cancelled the request, or <paramref name="cancellationToken"/> was cancelled; what was posted has drained.</exception>
    /// <exception cref="PeerFailedException">The decoder died.</exception>
    /// <exception cref="GardenException">A write failed; the decoder was told.</exception>
    public async Task FinishAsync(ReadOnlyMemory<byte> tail = default, CancellationToken cancellationToken = default)
    {
        if (_tailSent && !tail.IsEmpty)
            throw new InvalidOperationException("The tail was sent already; finish without one.");
        if (!_tailSent && tail.Length != TailLength)
            throw new ArgumentException($"The decoder expects a tail of {TailLength} bytes; got {tail.Length}. One that was named with UseTail is reported with TailDone first.", nameof(tail));
        RequireAllLayers();
        using CancellationTokenRegistration registration = StopWith(cancellationToken);
        if (!_tailSent)
        {
            _tailSlot = await _prefiller.Tails.RentAsync(tail, Cancelled).ConfigureAwait(false);
            SendTail(_prefiller.Tails.Write(_tailSlot, TailLength, _tailRegion, _body));
        }

        await AwaitEndAsync().ConfigureAwait(false);
    }

    private CancellationTokenRegistration StopWith(CancellationToken cancellationToken) => cancellationToken.UnsafeRegister(
        static (state, token) => ((KvPrefillJob<TTransfer>)state!).Stop(new OperationCanceledException("The prefiller cancelled the job.", token)), this);

    private void RequireAllLayers()
    {
        if (_nextToken != FirstToken + TokenCount || _layersDone != LayerCount)
            throw new InvalidOperationException($"Tokens up to {_nextToken} of {FirstToken + TokenCount} and {_layersDone} of {LayerCount} layers of the last chunk are done; the tail comes after all.");
    }

    private void SendTail(in SingleWrite tail)
    {
        _tailSent = true;
        _watcher.Signal(_pump.AddTail(tail));
    }

    private async Task AwaitEndAsync()
    {
        KvDrain drain = await EndAsync().ConfigureAwait(false);
        if (StopCause is OperationCanceledException or PeerFailedException)
            throw StopCause;
        if ((Decoder.Failure ?? StopCause ?? drain.Failure) is { } failure)
            throw Named(failure);
        if (!drain.Complete)
            throw new TransferNotDrainedException(_pump.Transfers.Length, new TimeoutException($"The writes did not end within {_prefiller.Options.DrainDeadline}."));
        if (_lastLayerDone != 0)
            KvTelemetry.TailDuration.Record(Stopwatch.GetElapsedTime(_lastLayerDone).TotalSeconds);
    }

    /// <summary>Ends the job. One that was not finished is given up: posting stops, what is posted drains, the decoder is told.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Volatile.Read(ref _ended) == 0)
            Stop(new TransferAbortedException("the prefiller's model loop gave the job up"));
        await EndAsync().ConfigureAwait(false);
    }

    /// <summary>Stops posting. The first cause is kept. Does not wait for the drain.</summary>
    internal void Stop(Exception cause)
    {
        if (Interlocked.CompareExchange(ref _stopCause, cause, null) is not null)
            return;
        _pump.Stop();
        foreach (ref readonly Transfer transfer in _pump.Transfers)
        {
            try
            {
                transfer.Cancel();
            }
            catch (InvalidOperationException)
            {
                // The drain has consumed it already: it has ended.
            }
        }

        // Registrations of the model loop must not run on the caller, which may be the protocol's loop.
        _ = _cancelled.CancelAsync();
    }

    /// <summary>The failure as the model loop should see it.</summary>
    private GardenException Named(Exception failure) => failure switch
    {
        // The write's end may be known a moment before the peer's.
        FabricException { Status: FabricStatus.RouteDown } => new PeerFailedException(Decoder.Address, failure.Message, failure),
        GardenException garden => garden,
        _ => new GardenException($"The job of request {Sequence} failed: {failure.Message}", failure),
    };

    private async Task<KvDrain> EndAsync()
    {
        KvDrain drain = await Drained.ConfigureAwait(false);
        if (Interlocked.Exchange(ref _ended, 1) != 0)
            return drain;
        _watcher.Dispose();
        _pages?.Dispose();
        _destinationPages.Dispose();
        if (drain.Complete)
        {
            _lease?.Dispose();
            _prefiller.Tails.Return(_tailSlot);
        }
        else
        {
            _lease?.Leak();
            KvLog.SourceLeaked(_prefiller.Options.Logger, Sequence, _lease?.Count ?? 0);
        }

        string outcome = StopCause is OperationCanceledException ? "cancelled" : (StopCause ?? drain.Failure) is null ? "finished" : "failed";
        KvTelemetry.Jobs.Add(1, new KeyValuePair<string, object?>("outcome", outcome));
        _activity?.SetTag("garden.kv.outcome", outcome);
        _activity?.Dispose();
        return drain;
    }

    private async Task<KvDrain> DrainAsync()
    {
        await _pump.Quiescent.ConfigureAwait(false);
        Task<KvDrain> all = AwaitTransfersAsync();
        try
        {
            return await all.WaitAsync(_prefiller.Options.DrainDeadline).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Not left to run on unseen: what is not posted yet is given up, what is posted gets the same time once more.
            foreach (ref readonly Transfer transfer in _pump.Transfers)
                transfer.Cancel();
            try
            {
                return await all.WaitAsync(_prefiller.Options.DrainDeadline).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                return new KvDrain(false, byte.MaxValue, null);
            }
        }
    }

    private async Task<KvDrain> AwaitTransfersAsync()
    {
        KvDrainTally tally = _pump.Ended;
        if (_pump.Failure is { } refused)
            tally.Refuse(refused);
        int count = _pump.Transfers.Length;
        for (int i = 0; i < count; i++)
        {
            try
            {
                tally.Add(await _pump.Transfers[i]);
            }
            catch (Exception exception)
            {
                tally.Add(exception);
            }
        }

        return tally.Drain;
    }

    private static int LeastCommonMultiple(int left, int right)
    {
        int a = left, b = right;
        while (b != 0)
            (a, b) = (b, a % b);
        return left / a * right;
    }
}
