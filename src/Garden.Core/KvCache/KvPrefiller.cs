using System.Security.Cryptography;
using System.Threading.Channels;

namespace Garden.KvCache;

/// <summary>
/// The side that computes KV caches and streams them to decoders, layer by layer. It answers handshakes, turns requests into
/// <see cref="KvPrefillJob{TTransfer}"/>s for the model loop, and confirms cancellations once nothing is on its way any more.
/// </summary>
/// <typeparam name="TTransfer">The generated plan between the two layouts.</typeparam>
public sealed partial class KvPrefiller<TTransfer> : IAsyncDisposable
    where TTransfer : unmanaged, IKvTransfer<TTransfer>
{
    private const long MostAssemblingBytes = 64 << 20;
    private const int MostSessionsOfPeer = 64;

    private readonly Channel<Action> _events = Channel.CreateUnbounded<Action>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Channel<KvPrefillJob<TTransfer>> _jobs;
    private readonly Dictionary<(Peer Peer, ulong Session), KvPrefillerLink<TTransfer>> _links = [];
    private readonly ulong _session = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
    private readonly IDisposable _handler;
    private readonly IDisposable _peerFailed;
    private readonly Task _loop;
    private readonly KvReplies _replies;
    private long _ignored;
    private int _disposed;

    /// <summary>Starts to answer decoders on <paramref name="engine"/>.</summary>
    public KvPrefiller(TransferEngine engine, KvPrefillerOptions options)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(options);
        Engine = engine;
        Options = options;
        Tails = new KvTailSlots(engine, options);
        _replies = new KvReplies(engine, KvChannels.ToDecoder(options.Channel), options.Logger);
        _jobs = Channel.CreateBounded<KvPrefillJob<TTransfer>>(options.MaxQueuedJobs);
        _loop = RunAsync();
        _peerFailed = engine.OnPeerFailed((peer, failure) => Post(() => OnPeerFailed(peer, failure)));
        _handler = engine.RegisterMessageHandler(KvChannels.ToPrefiller(options.Channel), OnMessage);
    }

    /// <summary>Messages that were late, repeated or not parsable.</summary>
    public long IgnoredMessages => Volatile.Read(ref _ignored);

    internal TransferEngine Engine { get; }

    internal KvPrefillerOptions Options { get; }

    internal KvTailSlots Tails { get; }

    /// <summary>The requests, in order of arrival, until the prefiller is disposed. Several loops may read.</summary>
    public IAsyncEnumerable<KvPrefillJob<TTransfer>> ReadJobsAsync(CancellationToken cancellationToken = default) =>
        _jobs.Reader.ReadAllAsync(cancellationToken);

    /// <summary>Stops answering, stops all jobs and waits for their drain. The model loop disposes its own jobs.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        _handler.Dispose();
        _peerFailed.Dispose();
        _jobs.Writer.TryComplete();
        var stopped = new TaskCompletionSource<Task>(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(() => stopped.SetResult(StopAllAsync()));
        await (await stopped.Task.ConfigureAwait(false)).ConfigureAwait(false);
        _events.Writer.TryComplete();
        await _loop.ConfigureAwait(false);
        await _replies.DisposeAsync().ConfigureAwait(false);
        await Tails.DisposeAsync().ConfigureAwait(false);
        foreach (KvPrefillerLink<TTransfer> link in _links.Values)
            link.Close();
    }

    private void Post(Action action) => _events.Writer.TryWrite(action);

    /// <summary>Worker: copies the message for the protocol's loop.</summary>
    private void OnMessage(Peer peer, ReadOnlySpan<byte> message)
    {
        byte[] bytes = message.ToArray();
        Post(() => Handle(peer, bytes));
    }

    private async Task RunAsync()
    {
        await foreach (Action action in _events.Reader.ReadAllAsync().ConfigureAwait(false))
            action();
    }

    private async Task StopAllAsync()
    {
        var drains = new List<Task>();
        while (_jobs.Reader.TryRead(out KvPrefillJob<TTransfer>? unread))
            drains.Add(unread.DisposeAsync().AsTask());
        foreach (KvPrefillerLink<TTransfer> link in _links.Values)
        {
            foreach (KvPrefillerEntry<TTransfer> entry in link.Entries.Values)
            {
                entry.Job?.Stop(new TransferAbortedException("the prefiller was shut down"));
                if (entry.Job is not null)
                    drains.Add(entry.Job.Drained);
            }
        }

        await Task.WhenAll(drains).ConfigureAwait(false);
        // The ends of these drains are events behind this one: let them through, so that the decoders are told.
        var through = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(through.SetResult);
        await through.Task.ConfigureAwait(false);
    }

    private void Handle(Peer peer, byte[] message)
    {
        try
        {
            var header = KvMessageHeader.Parse(message);
            ReadOnlySpan<byte> body = message.AsSpan(KvMessageHeader.Length);
            switch (header.Kind)
            {
                case KvMessageKind.Hello:
                    OnHello(peer, KvHello.Parse(header, body));
                    break;
                case KvMessageKind.RequestPart:
                    OnRequestPart(LinkOf(peer, header), header, KvRequestPart.Parse(body, Options.MaxRequestLength));
                    break;
                case KvMessageKind.Cancel:
                    OnCancel(LinkOf(peer, header), KvCancel.Parse(header, body));
                    break;
                default:
                    throw new DescriptorException($"A {header.Kind} is not for a prefiller.");
            }
        }
        catch (Exception exception)
        {
            // Whatever a peer sends, the loop goes on.
            Ignore(peer, exception.Message);
        }
    }

    private KvPrefillerLink<TTransfer> LinkOf(Peer peer, in KvMessageHeader header) =>
        _links.TryGetValue((peer, header.Session), out KvPrefillerLink<TTransfer>? link)
            ? link
            : throw new DescriptorException($"Session {header.Session:x16} has not said hello.");

    private void Ignore(Peer peer, string reason)
    {
        Interlocked.Increment(ref _ignored);
        KvTelemetry.IgnoredMessages.Add(1);
        KvLog.MessageIgnored(Options.Logger, peer.Address, reason);
    }
}
