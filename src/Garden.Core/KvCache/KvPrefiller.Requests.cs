namespace Garden.KvCache;

public sealed partial class KvPrefiller<TTransfer>
{
    private void OnHello(Peer peer, in KvHello hello)
    {
        KvTerms own = KvTerms.Of<TTransfer>();
        if (own.Refuse(hello.Terms) is { } reason)
        {
            KvLog.HandshakeRefused(Options.Logger, peer.Address, reason);
            _replies.Send(peer, new KvRefusal(hello.Session, reason).ToBytes());
            return;
        }

        if (_links.Keys.Count(link => link.Peer == peer) >= MostSessionsOfPeer && !_links.ContainsKey((peer, hello.Session)))
        {
            _replies.Send(peer, new KvRefusal(hello.Session, $"this connection has {MostSessionsOfPeer} KV sessions already; connect anew for more").ToBytes());
            return;
        }

        _links.TryAdd((peer, hello.Session), new KvPrefillerLink<TTransfer>(peer, hello.Session));
        _replies.Send(peer, new KvWelcome(hello.Session, _session, Options.MaxRequestLength, Options.MaxTailLength).ToBytes());
    }

    private void OnRequestPart(KvPrefillerLink<TTransfer> link, in KvMessageHeader header, in KvRequestPart part)
    {
        if (part.PrefillerSession != _session)
            throw new DescriptorException($"The request is for prefiller session {part.PrefillerSession:x16}, this is {_session:x16}: the prefiller has restarted since.");
        if (!link.Entries.TryGetValue(header.Sequence, out KvPrefillerEntry<TTransfer>? entry))
        {
            if (!link.Window.TryAdd(header.Sequence))
                throw new DescriptorException($"Request {header.Sequence} has ended already.");
            entry = new KvPrefillerEntry<TTransfer>(header.Sequence);
            link.Entries.Add(header.Sequence, entry);
        }

        entry.PartsSeen++;
        if (entry.Cancel is { } cancel)
        {
            // Messages overtake each other: this part was sent before the cancellation.
            if (entry.Job is null && entry.PartsSeen >= cancel.PartsSent)
                link.Entries.Remove(entry.Sequence);
            return;
        }

        if (entry.Job is not null)
            throw new DescriptorException($"Part {part.Part} of request {header.Sequence} came again.");
        if (entry.Assembly is null)
        {
            if (link.AssemblingBytes + part.TotalLength > MostAssemblingBytes)
                throw new DescriptorException($"More than {MostAssemblingBytes} bytes of unfinished requests.");
            entry.Assembly = new KvRequestAssembly(part);
            link.AssemblingBytes += part.TotalLength;
        }

        if (!entry.Assembly.TryAdd(part))
            throw new DescriptorException($"Part {part.Part} of request {header.Sequence} came twice.");
        if (entry.Assembly.IsComplete)
            Begin(link, entry);
    }

    private void Begin(KvPrefillerLink<TTransfer> link, KvPrefillerEntry<TTransfer> entry)
    {
        KvRequestAssembly assembly = Forget(link, entry)!;
        try
        {
            var body = KvRequestBody.Parse(assembly.Bytes);
            body.Validate<TTransfer>();
            if (body.TailLength > Options.MaxTailLength)
                throw new DescriptorException($"The tail has {body.TailLength} bytes; the prefiller takes at most {Options.MaxTailLength}.");
            RemoteRegion pool = link.Import(body.Pool);
            var job = new KvPrefillJob<TTransfer>(this, link.Peer, entry.Sequence, body, pool, body.Tail is null ? pool : link.Import(body.Tail));
            entry.Job = job;
            _ = WatchAsync(link, entry, job);
            if (!_jobs.Writer.TryWrite(job))
            {
                job.Stop(new TransferAbortedException($"the prefiller's queue of {Options.MaxQueuedJobs} jobs is full"));
                _ = job.DisposeAsync().AsTask();
            }
        }
        catch (Exception exception) when (exception is GardenException or ArgumentException or InvalidOperationException)
        {
            // Nothing was posted for it: the decoder may use its pages again at once.
            link.Entries.Remove(entry.Sequence);
            Refuse(link, entry.Sequence, exception.Message);
        }
    }

    private void Refuse(KvPrefillerLink<TTransfer> link, ulong sequence, string reason)
    {
        KvLog.RequestStopped(Options.Logger, sequence, link.Peer.Address, reason);
        _replies.Send(link.Peer, new KvStopped(link.Session, sequence, Drained: true, AnswersCancel: false, 0, reason).ToBytes());
    }

    private void OnCancel(KvPrefillerLink<TTransfer> link, KvCancel cancel)
    {
        if (!link.Entries.TryGetValue(cancel.Sequence, out KvPrefillerEntry<TTransfer>? entry))
        {
            if (!link.Window.TryAdd(cancel.Sequence))
            {
                // It has ended and drained; lanes that could still carry something are not known any more.
                Confirm(link, cancel, new KvDrain(true, byte.MaxValue, null));
                return;
            }

            entry = new KvPrefillerEntry<TTransfer>(cancel.Sequence);
            link.Entries.Add(cancel.Sequence, entry);
        }

        if (entry.Cancel is not null)
            throw new DescriptorException($"Request {cancel.Sequence} was cancelled twice.");
        entry.Cancel = cancel;
        if (entry.Job is null)
        {
            // Parts that are still on their way must find this entry, or they would begin a job the decoder knows nothing of.
            Forget(link, entry);
            if (entry.PartsSeen >= cancel.PartsSent)
                link.Entries.Remove(entry.Sequence);
            Confirm(link, cancel, new KvDrain(true, 0, null));
        }
        else if (entry.Drain is { } drain)
        {
            link.Entries.Remove(entry.Sequence);
            Confirm(link, cancel, drain);
        }
        else
        {
            entry.Job.Stop(new OperationCanceledException($"The decoder at {link.Peer.Address} cancelled request {cancel.Sequence}."));
        }
    }

    /// <summary>Waits for the end of a job's writes, whoever ends it, and makes it an event of the loop.</summary>
    private async Task WatchAsync(KvPrefillerLink<TTransfer> link, KvPrefillerEntry<TTransfer> entry, KvPrefillJob<TTransfer> job)
    {
        KvDrain drain = await job.Drained.ConfigureAwait(false);
        Post(() => OnDrained(link, entry, job, drain));
    }

    private void OnDrained(KvPrefillerLink<TTransfer> link, KvPrefillerEntry<TTransfer> entry, KvPrefillJob<TTransfer> job, KvDrain drain)
    {
        entry.Drain = drain;
        if (drain.Failure is not null && job.StopCause is null)
            job.Stop(drain.Failure);
        if (entry.Cancel is { } cancel)
        {
            link.Entries.Remove(entry.Sequence);
            Confirm(link, cancel, drain);
        }
        else if (drain.Complete && drain.Failure is null && job.StopCause is null)
        {
            link.Entries.Remove(entry.Sequence);
        }
        else
        {
            // Without a fence to post this says "drained" only where completions prove it. The entry stays for the decoder's
            // cancellation, which brings one.
            string reason = (job.StopCause ?? drain.Failure)?.Message ?? "its writes did not drain";
            bool proven = drain.Complete && KvFences.AreNeedless(Engine, link.Peer);
            KvLog.RequestStopped(Options.Logger, entry.Sequence, link.Peer.Address, reason);
            _replies.Send(link.Peer, new KvStopped(link.Session, entry.Sequence, proven, AnswersCancel: false, 0, reason).ToBytes());
            if (proven)
                link.Entries.Remove(entry.Sequence);
        }
    }

    private void Confirm(KvPrefillerLink<TTransfer> link, KvCancel cancel, KvDrain drain) =>
        _replies.Run(link.Peer, async () =>
        {
            int fences = drain.Complete ? await KvFences.PostAsync(Engine, link.Peer, cancel.Fence, drain.Lanes).ConfigureAwait(false) : 0;
            return new KvStopped(link.Session, cancel.Sequence, drain.Complete && fences >= 0, AnswersCancel: true, Math.Max(fences, 0), "cancelled by the decoder").ToBytes();
        });

    private void OnPeerFailed(Peer peer, PeerFailedException failure)
    {
        foreach (KvPrefillerLink<TTransfer> link in _links.Values.Where(link => link.Peer == peer).ToArray())
        {
            foreach (KvPrefillerEntry<TTransfer> entry in link.Entries.Values)
                entry.Job?.Stop(failure);
            link.Close();
            _links.Remove((peer, link.Session));
        }
    }

    private static KvRequestAssembly? Forget(KvPrefillerLink<TTransfer> link, KvPrefillerEntry<TTransfer> entry)
    {
        KvRequestAssembly? assembly = entry.Assembly;
        entry.Assembly = null;
        link.AssemblingBytes -= assembly?.Length ?? 0;
        return assembly;
    }
}
