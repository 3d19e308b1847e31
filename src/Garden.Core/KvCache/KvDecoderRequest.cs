using System.Diagnostics;

namespace Garden.KvCache;

/// <summary>One request on the decoder's side, from its first message to the end of its pages' danger.</summary>
/// <remarks>
/// A request that did not succeed asks the prefiller to stop and waits for the confirmation, also when the prefiller itself has
/// given it up without proof. Only a confirmation (and its fences) returns the pages.
/// </remarks>
internal sealed class KvDecoderRequest : IDisposable
{
    private readonly TaskCompletionSource<KvStopped> _confirmed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TransferEngine _engine;
    private readonly KvDecoderOptions _options;
    private readonly KvDecoderLink _link;
    private readonly KvWelcome _welcome;
    private readonly KvRequest _request;
    private readonly KvDecoderPlan _plan;
    private readonly Action<int> _leaked;
    private readonly CancellationTokenSource _ended = new();
    private KvStopped? _givenUp;
    private int _partsSent;
    private int _arrived;

    public KvDecoderRequest(TransferEngine engine, KvDecoderOptions options, KvDecoderLink link, KvWelcome welcome, KvRequest request, KvDecoderPlan plan, Action<int> leaked)
    {
        _engine = engine;
        _options = options;
        _link = link;
        _welcome = welcome;
        _request = request;
        _plan = plan;
        _leaked = leaked;
        if (request.TailLength > welcome.MaxTailLength)
            throw new PlanException($"The tail has {request.TailLength} bytes; the prefiller at {link.Peer.Address} takes at most {welcome.MaxTailLength}.");
    }

    private ushort Channel => KvChannels.ToPrefiller(_options.Channel);

    private Peer Peer => _link.Peer;

    /// <summary>Worker: the prefiller says that it stopped.</summary>
    public void OnStopped(in KvStopped stopped)
    {
        if (!stopped.AnswersCancel)
            _givenUp ??= stopped;
        if (stopped.AnswersCancel || stopped.Drained)
            _confirmed.TrySetResult(stopped);
        // Not on the worker: this runs what waits for the token.
        ThreadPool.UnsafeQueueUserWorkItem(static request => request.End(), this, preferLocal: false);
    }

    /// <summary>True when the request ended without a word of the prefiller that it stopped.</summary>
    public bool IsUnconfirmed { get; private set; }

    public void Dispose() => _ended.Dispose();

    public void OnPeerFailed(PeerFailedException failure) => _confirmed.TrySetException(failure);

    public async Task<KvDelivery> RunAsync(CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        using Activity? activity = GardenMetrics.Activities.StartActivity("kv.request", ActivityKind.Client);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _ended.Token);
        TimeSpan deadline = _request.Deadline ?? _options.RequestDeadline;
        ImmCounter counter;
        ulong sequence;
        try
        {
            counter = _engine.AllocateCounter();
            sequence = _link.Add(this);
        }
        catch
        {
            // Nobody was told of the pages yet.
            _request.Pages.Dispose();
            throw;
        }

        bool confirmed = false;
        try
        {
            if (_request.Arrived is not null)
                counter.OnCount(OnCount);
            await SendAsync(sequence, counter.Immediate, activity, either.Token).ConfigureAwait(false);
            await counter.WaitAsync(_plan.Units, deadline, [Peer], either.Token).ConfigureAwait(false);
            confirmed = true;
            Count("delivered", activity);
            TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
            KvTelemetry.RequestDuration.Record(elapsed.TotalSeconds);
            return new KvDelivery(_request.Pages, _plan.Bytes, _plan.Units, elapsed);
        }
        catch (Exception cause)
        {
            confirmed = await StopAsync(sequence).ConfigureAwait(false);
            IsUnconfirmed = !confirmed;
            EndPages(confirmed, sequence);
            Exception outcome = Outcome(cause, confirmed, deadline, counter.Value, cancellationToken);
            Count(outcome is OperationCanceledException ? "cancelled" : "failed", activity);
            activity?.SetStatus(ActivityStatusCode.Error, outcome.Message);
            KvLog.RequestStopped(_options.Logger, sequence, Peer.Address, outcome.Message);
            if (outcome == cause)
                throw;
            throw outcome;
        }
        finally
        {
            _link.Remove(sequence);
            counter.Dispose(confirmed);
        }
    }

    /// <summary>Worker, of any of the devices that count.</summary>
    private void OnCount(long units)
    {
        if (units >= _plan.Units && Interlocked.Exchange(ref _arrived, 1) == 0)
            _request.Arrived!();
    }

    private async Task SendAsync(ulong sequence, Immediate immediate, Activity? activity, CancellationToken cancellationToken)
    {
        byte[] request = Body(immediate, activity).ToBytes();
        if (request.Length > _welcome.MaxRequestLength)
            throw new PlanException($"The request has {request.Length} bytes; the prefiller at {Peer.Address} takes at most {_welcome.MaxRequestLength}. Shorten the payload or raise KvPrefillerOptions.MaxRequestLength.");
        int partLength = Math.Min(Peer.MaxMessageLength - KvRequestPart.HeaderLength, request.Length);
        byte[] message = new byte[KvRequestPart.HeaderLength + partLength];
        int parts = KvRequestPart.PartsOf(request.Length, partLength);
        for (int part = 0; part < parts; part++)
        {
            int length = KvRequestPart.Encode(message, _link.Session, sequence, _welcome.PrefillerSession, request, part, partLength);
            // Counted before it is sent: a send that throws may have gone out.
            _partsSent = part + 1;
            await _engine.SendAsync(Peer, Channel, message.AsMemory(0, length)).AsTask().WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private KvRequestBody Body(Immediate immediate, Activity? activity) => new()
    {
        Pool = _options.Pool.Export(),
        Tail = _request.TailLength == 0 ? null : _options.Tails!.Export(),
        Immediate = immediate,
        PoolPages = _options.PoolPages,
        PoolOffset = _options.PoolOffset,
        FirstToken = _request.FirstToken,
        TokenCount = _request.TokenCount,
        FirstLayer = _request.FirstLayer,
        LayerCount = _plan.LayerCount,
        SourceRank = _request.SourceRank,
        DestinationRank = _request.DestinationRank,
        TailOffset = _request.TailOffset,
        TailLength = _request.TailLength,
        Pages = _request.Pages.Pages.ToArray(),
        Payload = _request.Payload.ToArray(),
        TraceParent = activity?.Id ?? "",
    };

    /// <summary>True when it is certain that nothing of the request can land any more.</summary>
    private async Task<bool> StopAsync(ulong sequence)
    {
        if (_confirmed.Task.IsCompletedSuccessfully && _confirmed.Task.GetAwaiter().GetResult() is { Drained: true, Fences: 0 })
            return true;
        if (Peer.Failure is not null)
            return false;
        long start = Stopwatch.GetTimestamp();
        using var deadline = new CancellationTokenSource(_options.StopDeadline);
        ImmCounter? fence = null;
        bool confirmed = false;
        try
        {
            fence = _engine.AllocateCounter();
            await _engine.SendAsync(Peer, Channel, new KvCancel(_link.Session, sequence, _partsSent, fence.Immediate).ToBytes()).AsTask().WaitAsync(deadline.Token).ConfigureAwait(false);
            KvStopped answer = await _confirmed.Task.WaitAsync(deadline.Token).ConfigureAwait(false);
            TimeSpan left = _options.StopDeadline - Stopwatch.GetElapsedTime(start);
            if (answer.Drained && answer.Fences > 0)
                await fence.WaitAsync(answer.Fences, left > TimeSpan.Zero ? left : TimeSpan.Zero, [Peer]).ConfigureAwait(false);
            return confirmed = answer.Drained;
        }
        catch (Exception exception) when (exception is GardenException or OperationCanceledException or TimeoutException or InvalidOperationException)
        {
            return false;
        }
        finally
        {
            fence?.Dispose(confirmed);
        }
    }

    private void EndPages(bool confirmed, ulong sequence)
    {
        if (confirmed)
        {
            _request.Pages.Dispose();
            return;
        }

        _leaked(_request.Pages.Count);
        _request.Pages.Leak();
        KvLog.PagesLeaked(_options.Logger, _request.Pages.Count, sequence, Peer.Address, _options.StopDeadline.TotalSeconds);
    }

    private Exception Outcome(Exception cause, bool confirmed, TimeSpan deadline, long units, CancellationToken cancellationToken)
    {
        if (Peer.Failure is { } failure)
            return failure;
        if (!confirmed)
            return new PeerFailedException(Peer.Address, $"The prefiller at {Peer.Address} did not confirm within {_options.StopDeadline.TotalSeconds:0.###} s that it stopped; {_request.Pages.Count} pages are leaked. First cause: {cause.Message}", cause);
        if (_givenUp is { } givenUp)
            return new TransferAbortedException($"The prefiller at {Peer.Address} gave the request up: {givenUp.Reason}");
        if (cause is OperationCanceledException)
            return new OperationCanceledException("The request was cancelled; nothing of it can land any more.", cause, cancellationToken);
        return cause is TimeoutException
            ? new TimeoutException($"{units} of {_plan.Units} units came from the prefiller at {Peer.Address} within {deadline.TotalSeconds:0.###} s; nothing of the request can land any more.", cause)
            : cause;
    }

    private void End()
    {
        try
        {
            _ended.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The request has ended by itself in between.
        }
    }

    private static void Count(string outcome, Activity? activity)
    {
        KvTelemetry.Requests.Add(1, new KeyValuePair<string, object?>("outcome", outcome));
        activity?.SetTag("garden.kv.outcome", outcome);
    }
}
