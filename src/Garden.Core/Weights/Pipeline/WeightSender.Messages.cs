namespace Garden.Weights;

/// <content>What other ranks say. Handlers run on the engine's worker and block nothing.</content>
public sealed partial class WeightSender<TMap>
{
    /// <summary>Requests of one rank for a step that has not begun here: more than its slots can be waiting for.</summary>
    private const int MostEarlyRequests = 1024;

    private readonly Lock _lock = new();
    private readonly List<(Peer Peer, WeightGatherRequest Request)> _earlyRequests = [];
    private readonly WeightGatherers _gatherers;
    private WeightStepRun? _run;
    private string? _ended;

    private void OnMessage(Peer peer, ReadOnlySpan<byte> message)
    {
        var header = WeightMessageHeader.Parse(message);
        switch (header.Kind)
        {
            case WeightMessageKind.Hello:
                OnHello(peer, WeightHello.Parse(in header, message));
                break;
            case WeightMessageKind.Gather:
                OnGather(peer, WeightGatherRequest.Parse(in header, message, Rank));
                break;
            case WeightMessageKind.GatherRefusal:
                OnGatherRefusal(WeightReply.Parse(in header, message));
                break;
            case WeightMessageKind.Gathered:
                _gatherers.Through(peer, WeightReply.Parse(in header, message).Step);
                break;
            case WeightMessageKind.Offer when LinkOf(peer) is { } link:
                OnOffer(link, WeightOffer.Parse(in header, message));
                break;
            case WeightMessageKind.Welcome or WeightMessageKind.Refusal or WeightMessageKind.Done when LinkOf(peer) is { } link:
                var reply = WeightReply.Parse(in header, message);
                link.OnReply(reply);
                if (reply.Kind == WeightMessageKind.Done && reply.Text.Length != 0)
                    OnFailed(link, reply.Step, new WeightUpdateException(reply.Step, reply.Text));
                break;
            default:
                throw new DescriptorException($"{peer.Address} sent a {header.Kind} out of turn.");
        }
    }

    private WeightReceiverLink? LinkOf(Peer peer) =>
        _links.Values.Concat(_trainers.Values).FirstOrDefault(link => link.Peer == peer);

    private void OnHello(Peer peer, WeightHello hello)
    {
        string? reason = hello.Refusal("trainer", Rank, in _terms, _trainerRanks, peer, _gatherers.PeerOf(hello.Rank));
        if (reason is null)
            _gatherers.Join(hello.Rank, peer);
        _engine.TrySend(peer, WeightChannels.ToTrainers(_options.Channel), new WeightReply(reason is null ? WeightMessageKind.Welcome : WeightMessageKind.Refusal, 0, reason ?? _name).ToBytes());
    }

    /// <summary>A request for the running step is served, one for a later step waits for it, one for a step that has ended here is refused.</summary>
    private void OnGather(Peer peer, WeightGatherRequest request)
    {
        _gatherers.Through(peer, request.Step - 1);
        string reason;
        lock (_lock)
        {
            if (_run is { } run && run.Step == request.Step)
            {
                run.Track(Task.Run(() => ServeAsync(run, peer, request)));
                return;
            }

            if (request.Step <= _lastStep)
            {
                reason = WhyPast(request.Step);
            }
            else if (_earlyRequests.Count(early => early.Peer == peer) == MostEarlyRequests)
            {
                reason = $"{MostEarlyRequests} requests wait here already, and step {request.Step} has not begun";
            }
            else
            {
                _earlyRequests.Add((peer, request));
                return;
            }
        }

        Refuse(peer, request, reason);
    }

    /// <summary>Why a step that is not the running one will not be any more. Under the lock.</summary>
    private string WhyPast(long step) => step == _lastStep && _ended is not null ? _ended : $"it is past step {step}";

    /// <summary>An offer that nobody here will take is answered: the receiver must not wait for its deadline.</summary>
    private void OnOffer(WeightReceiverLink link, WeightOffer offer)
    {
        // Before the look at the step: Abandon looks the other way round, so that one of the two sees the other.
        link.Offers.Post(offer.Step, offer);
        string? reason;
        lock (_lock)
        {
            reason = _run is not { } run || run.Step != offer.Step ? offer.Step > _lastStep ? null : WhyPast(offer.Step)
                : !run.Targets.TryGetValue(link.Rank, out WeightStepTarget? target) || target.Link != link ? $"step {run.Step} began before this connection"
                : target.Failure?.Message;
        }

        if (reason is not null)
            TellReceiver(link, offer, reason);
    }

    /// <summary>Gives a receiver up for a step, and says so where it has offered or will.</summary>
    private void Abandon(WeightStepRun run, WeightStepTarget target, Exception cause)
    {
        if (target.Fail(cause) && target.Link.Offers.Find(run.Step) is { } offer)
            TellReceiver(target.Link, offer, cause.Message);
    }

    private void TellReceiver(WeightReceiverLink link, WeightOffer offer, string reason) => Tell(
        link.Peer, WeightChannels.ToReceivers(_options.Channel), new WeightReply(WeightMessageKind.Done, offer.Step, reason), offer.Counter);

    /// <summary>Those whose parts of blocks this rank needs may end the step as far as this rank is concerned. A message that is lost is made up for by the next step's.</summary>
    private void TellGathered(WeightStepRun run)
    {
        foreach (int holder in GatherRanks)
            Tell(_trainers[holder].Peer, WeightChannels.ToTrainers(_options.Channel), new WeightReply(WeightMessageKind.Gathered, run.Step, ""), default);
    }

    /// <summary>Writes what another trainer rank asked for, once it is loaded.</summary>
    private async Task ServeAsync(WeightStepRun run, Peer peer, WeightGatherRequest request)
    {
        try
        {
            await run.Loader.WaitAsync(_loads.EndOf(request.Pieces), run.Token).ConfigureAwait(false);
            run.Token.ThrowIfCancellationRequested();
            using RemoteRegion buffer = peer.Import(request.Buffer);
            using var route = new WeightRoute(request.Pieces, [], default, 0);
            Transfer transfer = _engine.Submit(
                new WeightWrites
                {
                    Source = _options.Tensors.Handle,
                    SourceOffset = _options.TensorsOffset,
                    Destination = buffer.Handle,
                    DestinationOffset = request.BufferOffset,
                    Immediate = request.Counter,
                    Route = route.Handle,
                    Count = route.Handle.Count,
                },
                new SubmitOptions { Deadline = run.Left });
            await WeightStepRun.EndOf(transfer, run.Token).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            Refuse(peer, request, (run.Cause ?? exception).Message);
        }
    }

    /// <summary>The one who waits must not wait for its deadline.</summary>
    private void Refuse(Peer peer, WeightGatherRequest request, string reason) => Tell(
        peer, WeightChannels.ToTrainers(_options.Channel), new WeightReply(WeightMessageKind.GatherRefusal, request.Step, $"trainer rank {Rank} ({_name}): {reason}"), request.Counter);

    private void OnGatherRefusal(WeightReply refusal)
    {
        lock (_lock)
        {
            if (_run is { } run && run.Step == refusal.Step)
                run.RefuseGathers(new TransferAbortedException(refusal.Text));
        }
    }

    /// <summary>Says why a counter will not be reached; where no message can be sent, the engine's notice does, which has room for a few words only.</summary>
    private void Tell(Peer peer, ushort channel, WeightReply reply, Immediate counter)
    {
        if (peer.State != PeerState.Ready)
            return;
        try
        {
            if (!_engine.TrySend(peer, channel, reply.ToBytes()) && counter != default)
                _engine.NotifyAbort(peer, counter, reply.Text);
        }
        catch (PeerFailedException)
        {
            // It need not know any more.
        }
    }

    private void OnPeerFailed(Peer peer, PeerFailedException failure)
    {
        _gatherers.Lose(peer);
        lock (_lock)
            _earlyRequests.RemoveAll(early => early.Peer == peer);
        foreach (WeightReceiverLink link in _links.Values.Concat(_trainers.Values))
        {
            if (link.Peer != peer)
                continue;
            link.Fail(failure);
            OnFailed(link, null, failure);
        }
    }

    /// <summary>A receiver does not need the running step any more, if it is the one that is meant.</summary>
    private void OnFailed(WeightReceiverLink link, long? step, Exception failure)
    {
        lock (_lock)
        {
            if (_run is { } run && (step ?? run.Step) == run.Step && run.Targets.TryGetValue(link.Rank, out WeightStepTarget? target) && target.Link == link)
            {
                target.Fail(failure);
                run.StopWhenNobodyIsLeft();
            }
        }
    }
}
