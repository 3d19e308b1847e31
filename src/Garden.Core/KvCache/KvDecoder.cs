using System.Collections.Concurrent;

namespace Garden.KvCache;

/// <summary>
/// The side that receives KV caches. It asks a prefiller for tokens of a prompt, and knows by the count of immediates alone that
/// they have all arrived. Pages of a request that ended badly come back only when the prefiller has confirmed that nothing
/// of it can land any more; otherwise they are leaked and counted.
/// </summary>
/// <typeparam name="TTransfer">The generated plan between the two layouts.</typeparam>
public sealed class KvDecoder<TTransfer> : IAsyncDisposable
    where TTransfer : unmanaged, IKvTransfer<TTransfer>
{
    private readonly ConcurrentDictionary<Peer, KvDecoderLink> _links = new();
    private readonly ConcurrentDictionary<ulong, KvDecoderLink> _bySession = new();
    private readonly ConcurrentDictionary<Task, byte> _running = new();
    private readonly CancellationTokenSource _disposing = new();
    private readonly IDisposable _handler;
    private readonly IDisposable _peerFailed;
    private long _ignored;
    private long _leaked;
    private int _disposed;

    /// <summary>A decoder on <paramref name="engine"/>.</summary>
    public KvDecoder(TransferEngine engine, KvDecoderOptions options)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(options);
        Engine = engine;
        Options = options;
        _peerFailed = engine.OnPeerFailed(OnPeerFailed);
        _handler = engine.RegisterMessageHandler(KvChannels.ToDecoder(options.Channel), OnMessage);
    }

    /// <summary>Pages given up because a drain could not be confirmed.</summary>
    public long LeakedPages => Volatile.Read(ref _leaked);

    /// <summary>Messages that were late, repeated or not parsable.</summary>
    public long IgnoredMessages => Volatile.Read(ref _ignored);

    internal TransferEngine Engine { get; }

    internal KvDecoderOptions Options { get; }

    /// <summary>Does the handshake ahead of the first request.</summary>
    /// <exception cref="KvHandshakeException">The prefiller speaks another version or has another layout; the message names both sides' values.</exception>
    /// <exception cref="PeerFailedException">The prefiller died or did not answer in time.</exception>
    public async ValueTask ConnectAsync(Peer prefiller, CancellationToken cancellationToken = default) =>
        await LinkAsync(prefiller, cancellationToken).ConfigureAwait(false);

    /// <summary>Asks for a prompt's tokens and completes when every byte of them, and the tail, is visible here.</summary>
    /// <exception cref="PlanException">The request does not fit the pool, the layouts or the lease; nothing was sent.</exception>
    /// <exception cref="KvHandshakeException">The prefiller speaks another version or has another layout.</exception>
    /// <exception cref="OperationCanceledException">The request was cancelled and nothing of it can land any more.</exception>
    /// <exception cref="TimeoutException">The deadline passed and nothing of the request can land any more.</exception>
    /// <exception cref="TransferAbortedException">The prefiller gave the request up, with its reason.</exception>
    /// <exception cref="PeerFailedException">The prefiller died, or did not confirm a stop in time; the pages are leaked.</exception>
    public async Task<KvDelivery> RequestAsync(Peer prefiller, KvRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prefiller);
        ArgumentNullException.ThrowIfNull(request);
        if (_disposed != 0)
        {
            request.Pages.Dispose();
            throw new ObjectDisposedException(nameof(KvDecoder<>));
        }

        Task<KvDelivery> running = RunAsync(prefiller, request, cancellationToken);
        _running.TryAdd(running, 0);
        try
        {
            return await running.ConfigureAwait(false);
        }
        finally
        {
            _running.TryRemove(running, out _);
        }
    }

    /// <summary>Stops all requests as if they were cancelled, and waits for their end.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        await _disposing.CancelAsync().ConfigureAwait(false);
        foreach (Task task in _running.Keys)
            await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _handler.Dispose();
        _peerFailed.Dispose();
        _disposing.Dispose();
    }

    internal void CountLeaked(int pages) => Interlocked.Add(ref _leaked, pages);

    private async Task<KvDelivery> RunAsync(Peer prefiller, KvRequest request, CancellationToken cancellationToken)
    {
        CancellationTokenSource? either = null;
        KvDecoderRequest run;
        KvDecoderLink link;
        try
        {
            either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposing.Token);
            KvDecoderPlan plan = KvDecoderPlan.Create<TTransfer>(Options, request);
            link = await LinkAsync(prefiller, either.Token).ConfigureAwait(false);
            KvWelcome welcome = await link.Welcome.ConfigureAwait(false);
            run = new KvDecoderRequest(Engine, Options, link, welcome, request, plan, CountLeaked);
        }
        catch
        {
            // Nobody was told of the pages yet.
            request.Pages.Dispose();
            either?.Dispose();
            throw;
        }

        using (either)
        using (run)
        {
            try
            {
                return await run.RunAsync(either.Token).ConfigureAwait(false);
            }
            catch (PeerFailedException) when (run.IsUnconfirmed)
            {
                // A prefiller that answers nothing may be another one by now: the next request says hello again.
                Forget(link);
                throw;
            }
        }
    }

    private async ValueTask<KvDecoderLink> LinkAsync(Peer prefiller, CancellationToken cancellationToken)
    {
        if (prefiller.Failure is { } failure)
            throw failure;
        if (!_links.TryGetValue(prefiller, out KvDecoderLink? link))
        {
            var created = new KvDecoderLink(prefiller);
            _bySession[created.Session] = created;
            link = _links.GetOrAdd(prefiller, created);
            if (link == created)
                await Engine.SendAsync(prefiller, KvChannels.ToPrefiller(Options.Channel), new KvHello(link.Session, KvTerms.Of<TTransfer>()).ToBytes()).AsTask().WaitAsync(cancellationToken).ConfigureAwait(false);
            else
                _bySession.TryRemove(created.Session, out _);
        }

        try
        {
            await link.Welcome.WaitAsync(Options.HandshakeDeadline, cancellationToken).ConfigureAwait(false);
            return link;
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            // The next request tries again with a session of its own.
            Forget(link);
            if (exception is TimeoutException)
                throw new PeerFailedException(prefiller.Address, $"The prefiller at {prefiller.Address} did not answer the KV handshake within {Options.HandshakeDeadline.TotalSeconds:0.###} s; is a KvPrefiller running there on channel {Options.Channel}?");
            throw;
        }
    }

    private void Forget(KvDecoderLink link)
    {
        _links.TryRemove(KeyValuePair.Create(link.Peer, link));
        _bySession.TryRemove(link.Session, out _);
    }

    /// <summary>Worker: everything here is a dictionary look-up and a completion source.</summary>
    private void OnMessage(Peer peer, ReadOnlySpan<byte> message)
    {
        try
        {
            var header = KvMessageHeader.Parse(message);
            ReadOnlySpan<byte> body = message[KvMessageHeader.Length..];
            if (!_bySession.TryGetValue(header.Session, out KvDecoderLink? link) || link.Peer != peer)
                throw new DescriptorException($"Session {header.Session:x16} is not one of this decoder with that peer.");
            switch (header.Kind)
            {
                case KvMessageKind.Welcome:
                    link.OnWelcome(KvWelcome.Parse(header, body));
                    KvLog.HandshakeAccepted(Options.Logger, peer.Address);
                    break;
                case KvMessageKind.Refusal:
                    link.OnRefusal(KvRefusal.Parse(header, body));
                    break;
                case KvMessageKind.Stopped:
                    if (!link.OnStopped(KvStopped.Parse(header, body)))
                        throw new DescriptorException($"Request {header.Sequence} has ended already.");
                    break;
                default:
                    throw new DescriptorException($"A {header.Kind} is not for a decoder.");
            }
        }
        catch (DescriptorException exception)
        {
            Interlocked.Increment(ref _ignored);
            KvTelemetry.IgnoredMessages.Add(1);
            KvLog.MessageIgnored(Options.Logger, peer.Address, exception.Message);
        }
    }

    private void OnPeerFailed(Peer peer, PeerFailedException failure)
    {
        if (!_links.TryGetValue(peer, out KvDecoderLink? link))
            return;
        Forget(link);
        link.Fail(failure);
    }
}
