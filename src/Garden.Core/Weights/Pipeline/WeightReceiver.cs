using System.Collections.Concurrent;

namespace Garden.Weights;

/// <summary>
/// An inference rank that lets trainer ranks write new weights into its memory. It does nothing while they write: counters say when
/// a step has come, the server says when it is swapped in. docs/weight-updates.md has the protocol.
/// </summary>
/// <typeparam name="TMap">The annotated struct.</typeparam>
public sealed partial class WeightReceiver<TMap> : IAsyncDisposable
    where TMap : unmanaged, IWeightShardMap<TMap>
{
    private readonly TransferEngine _engine;
    private readonly WeightReceiverOptions _options;
    private readonly WeightTerms _terms;
    private readonly long _tensorBytes;
    private readonly string _name;
    private readonly WeightContributor[] _contributors;
    private readonly WeightHashMemory? _hashes;
    private readonly int _trainerRanks;
    private readonly ConcurrentDictionary<int, WeightSenderLink> _senders = new();
    private readonly ConcurrentDictionary<Peer, (long Step, ImmCounter Counter)> _counting = new();
    private readonly List<IDisposable> _registrations = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _versions = new();
    private TaskCompletionSource? _swapping;
    private WeightVersion? _current;
    private WeightVersion? _pending;
    private int _disposed;

    /// <summary>Works out what the rank receives, and lets trainer ranks introduce themselves.</summary>
    /// <exception cref="PlanException">The schedule was made for another map.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The mesh has no such rank, or the tensors do not fit a buffer.</exception>
    /// <exception cref="ArgumentException">There are no buffers or more than two, or memory of another kind than <see cref="WeightReceiverOptions.Device"/>'s is to be verified.</exception>
    public WeightReceiver(TransferEngine engine, WeightSchedule schedule, int rank, WeightReceiverOptions options)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(schedule);
        ArgumentNullException.ThrowIfNull(options);
        WeightMeshes<TMap> meshes = WeightScheduleTerms.MeshesOf<TMap>(schedule);
        _tensorBytes = meshes.InferenceBytes;
        options.Validate(_tensorBytes);
        (_engine, _options, _terms, Rank, _trainerRanks) = (engine, options, WeightScheduleTerms.Of(schedule, options.Verify), rank, schedule.Trainer.Ranks);
        _name = WeightHello.RequireName(options.Name ?? $"{engine.Address}");
        _contributors = WeightContributor.Of(schedule, rank, options.Verify);
        long hashes = _contributors.Sum(static contributor => (long)contributor.Hashes);
        try
        {
            if (hashes != 0)
                _hashes = new WeightHashMemory(engine, options.Device ?? HostWeightDevice.Instance, hashes, options.Buffers[0].Device);
            _registrations.Add(engine.RegisterMessageHandler(WeightChannels.ToReceivers(options.Channel), OnMessage));
            _registrations.Add(engine.OnPeerFailed((_, _) => Changed()));
        }
        catch
        {
            _ = DisposeAsync().AsTask();
            throw;
        }
    }

    /// <summary>The inference rank.</summary>
    public int Rank { get; }

    /// <summary>The version to serve; null before the first <see cref="Swap"/>, and with one buffer while an update is under way or after one that failed.</summary>
    public WeightVersion? Current => Volatile.Read(ref _current);

    /// <summary>A version that is complete and waits for its <see cref="Swap"/>.</summary>
    public WeightVersion? Pending => Volatile.Read(ref _pending);

    /// <summary>The trainer ranks that send to this one.</summary>
    public IReadOnlyList<int> TrainerRanks => [.. _contributors.Select(static contributor => contributor.Rank)];

    /// <summary>
    /// Makes the pending version the one to serve, after <see cref="WeightReceiverOptions.InvalidateCaches"/>. The server calls it between
    /// two batches: it is the only moment at which what is served changes.
    /// </summary>
    /// <remarks>
    /// May be called while another thread calls <see cref="ReceiveAsync"/>, which then waits for its end before it chooses a buffer. When the
    /// callback throws, the version before is served on and the pending one can be swapped in later.
    /// </remarks>
    /// <exception cref="InvalidOperationException">There is no pending version, or another thread is swapping.</exception>
    public WeightVersion Swap()
    {
        WeightVersion next;
        var swapping = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_versions)
        {
            next = Pending ?? throw new InvalidOperationException("No complete version is waiting; swap after ReceiveAsync has returned.");
            if (_swapping is not null)
                throw new InvalidOperationException("A version is being swapped in already.");
            _swapping = swapping;
        }

        try
        {
            // Outside the lock: it is the user's code.
            _options.InvalidateCaches?.Invoke(next.Step);
            lock (_versions)
            {
                Volatile.Write(ref _current, next);
                Volatile.Write(ref _pending, null);
            }

            return next;
        }
        finally
        {
            lock (_versions)
                _swapping = null;
            swapping.SetResult();
        }
    }

    /// <summary>Stops listening to trainer ranks. No update may be running; the buffers stay registered, they are the caller's.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        foreach (IDisposable registration in _registrations)
            registration.Dispose();
        if (_hashes is not null)
            await _hashes.DisposeAsync().ConfigureAwait(false);
    }

    private void OnMessage(Peer peer, ReadOnlySpan<byte> message)
    {
        var header = WeightMessageHeader.Parse(message);
        if (header.Kind == WeightMessageKind.Done)
            OnGivenUp(peer, WeightReply.Parse(in header, message));
        else if (header.Kind == WeightMessageKind.Hello)
            OnHello(peer, WeightHello.Parse(in header, message));
        else
            throw new DescriptorException($"{peer.Address} sent a {header.Kind} to an inference rank, which takes none.");
    }

    /// <summary>A trainer rank says that its part of a step will not come.</summary>
    private void OnGivenUp(Peer peer, WeightReply reply)
    {
        if (_counting.TryGetValue(peer, out (long Step, ImmCounter Counter) counting) && counting.Step == reply.Step)
            counting.Counter.PoisonWith(new TransferAbortedException(reply.Text));
    }

    private void OnHello(Peer peer, WeightHello hello)
    {
        string? reason = hello.Refusal("inference", Rank, in _terms, _trainerRanks, peer, _senders.GetValueOrDefault(hello.Rank)?.Peer);
        _engine.TrySend(
            peer, WeightChannels.ToTrainers(_options.Channel), new WeightReply(reason is null ? WeightMessageKind.Welcome : WeightMessageKind.Refusal, 0, reason ?? _name).ToBytes());
        if (reason is not null)
            return;
        _senders[hello.Rank] = new WeightSenderLink(hello.Rank, peer, hello.Name);
        Changed();
    }

    private void Changed() => Interlocked.Exchange(ref _changed, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();

    private bool IsReady(int trainerRank) => _senders.TryGetValue(trainerRank, out WeightSenderLink? link) && link.Peer.State == PeerState.Ready;
}
