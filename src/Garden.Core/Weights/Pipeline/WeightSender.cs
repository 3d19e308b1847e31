using System.Collections.Concurrent;
using System.Diagnostics;
using System.Threading.Channels;

namespace Garden.Weights;

/// <summary>
/// A trainer rank that writes its part of every update into the inference ranks: loads, packs, gathers and converts task by task, and
/// writes while the next tasks are assembled. docs/weight-updates.md has the protocol.
/// </summary>
/// <typeparam name="TMap">The annotated struct.</typeparam>
public sealed partial class WeightSender<TMap> : IAsyncDisposable
    where TMap : unmanaged, IWeightShardMap<TMap>
{
    private const int MostSlots = 64;
    private readonly TransferEngine _engine;
    private readonly WeightSenderOptions _options;
    private readonly WeightSenderPlan _plan;
    private readonly WeightTerms _terms;
    private readonly string _name;
    private readonly WeightTaskInput?[] _inputs;
    private readonly WeightLoadList _loads;
    private readonly int[] _firstSend;
    private readonly int[] _firstHash;
    private readonly Dictionary<int, (long Units, long HashOffset, int Hashes)> _receivers = [];
    private readonly ConcurrentDictionary<int, WeightReceiverLink> _links = new();
    private readonly ConcurrentDictionary<int, WeightReceiverLink> _trainers = new();
    private readonly Channel<WeightAssembler> _assemblers = Channel.CreateUnbounded<WeightAssembler>();
    private readonly WeightSlots? _staging;
    private readonly WeightSlots? _gather;
    private readonly WeightHashMemory? _hashes;
    private readonly int _trainerRanks;
    private readonly List<IDisposable> _registrations = [];
    private int _disposed;

    /// <summary>Works out the rank's plan and takes its working memory. Connect to receivers next.</summary>
    /// <exception cref="PlanException">The schedule was made for another map.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The mesh has no such rank, the tensors do not fit their region, or the watermark is below two tasks' worth; the message says how much that is.</exception>
    /// <exception cref="ArgumentException">The tensors are in a device's memory, something must be packed, converted or hashed, and <see cref="WeightSenderOptions.Device"/> is not theirs.</exception>
    public WeightSender(TransferEngine engine, WeightSchedule schedule, int rank, WeightSenderOptions options)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(schedule);
        ArgumentNullException.ThrowIfNull(options);
        WeightMeshes<TMap> meshes = WeightScheduleTerms.MeshesOf<TMap>(schedule);
        options.Validate(meshes.TrainerBytes);
        (_engine, _options, _terms, _trainerRanks) = (engine, options, WeightScheduleTerms.Of(schedule, options.Verify), schedule.Trainer.Ranks);
        _name = WeightHello.RequireName(options.Name ?? $"{engine.Address}");
        _plan = schedule.SenderPlan(rank);
        try
        {
            _gatherers = new WeightGatherers(schedule.RanksThatReadFrom(rank));
            _inputs = new WeightTaskInput?[_plan.Tasks.Length];
            long gatherBytes = 0;
            for (int i = 0; i < _inputs.Length; i++)
            {
                _inputs[i] = WeightTaskInput.Of(_plan, in _plan.Tasks[i]);
                if (_inputs[i] is { InPlace: false } input)
                    gatherBytes = Math.Max(gatherBytes, input.BufferBytes);
            }

            GatherRanks = [.. _inputs.SelectMany(static input => input?.Others.Keys ?? []).Distinct().Order()];
            _loads = WeightLoadList.Of(meshes, rank, _plan.Tasks);
            (_firstHash, Dictionary<int, int> hashes) = WeightSendHashes.Of(_plan, out _firstSend);
            long hashOffset = 0;
            foreach (int receiver in hashes.Keys.Order())
            {
                _receivers.Add(receiver, (UnitsTo(receiver), hashOffset, hashes[receiver]));
                hashOffset += hashes[receiver] * (long)sizeof(ulong);
            }

            IWeightDevice device = options.Device ?? HostWeightDevice.Instance;
            if (options.Tensors.Kind != device.Kind && (options.Verify || options.Source is not null || _plan.LargestStagingBytes != 0))
                throw new ArgumentException($"The tensors are in {options.Tensors.Kind} memory; loading, packing, converting and hashing work in {device.Kind} memory. Set WeightSenderOptions.Device to the tensors' device.", nameof(options));
            int slots = SlotsFor(options.Watermark, _plan.LargestStagingBytes, gatherBytes);
            if (_plan.LargestStagingBytes != 0)
                _staging = new WeightSlots(engine, device, slots, _plan.LargestStagingBytes, options.Tensors.Device);
            if (gatherBytes != 0)
                _gather = new WeightSlots(engine, device, slots, gatherBytes, options.Tensors.Device);
            if (options.Verify && hashOffset != 0)
                _hashes = new WeightHashMemory(engine, device, hashOffset / sizeof(ulong), options.Tensors.Device);
            for (int i = 0; i < options.Assemblers; i++)
                _assemblers.Writer.TryWrite(new WeightAssembler(device));
            _registrations.Add(engine.RegisterMessageHandler(WeightChannels.ToTrainers(options.Channel), OnMessage));
            _registrations.Add(engine.OnPeerFailed(OnPeerFailed));
        }
        catch
        {
            _ = DisposeAsync().AsTask();
            throw;
        }
    }

    /// <summary>The trainer rank.</summary>
    public int Rank => _plan.Rank;

    /// <summary>The inference ranks that this one sends to. Where it sends to none, connect it to any: it hears from there when a step is complete.</summary>
    public IReadOnlyCollection<int> ReceiverRanks => _receivers.Keys;

    /// <summary>The trainer ranks that hold parts of blocks which this one converts: it must be connected to all of them.</summary>
    public IReadOnlyList<int> GatherRanks { get; }

    /// <summary>Bytes of working memory: what packing, gathering and converting use at most.</summary>
    public long WorkingBytes => ((_staging?.SlotBytes ?? 0) * (_staging?.Count ?? 0)) + ((_gather?.SlotBytes ?? 0) * (_gather?.Count ?? 0));

    /// <summary>Introduces this rank to an inference rank; an earlier connection to that rank is forgotten.</summary>
    /// <exception cref="WeightUpdateException">It refused: another map, another schedule, another rank.</exception>
    /// <exception cref="PeerFailedException">It failed.</exception>
    /// <exception cref="TimeoutException">It did not answer in time.</exception>
    /// <exception cref="ArgumentException">The peer is connected as another rank already, or its messages are too short for a gather request.</exception>
    public Task ConnectReceiverAsync(int inferenceRank, Peer peer, TimeSpan deadline, CancellationToken cancellationToken = default) =>
        ConnectAsync(_links, WeightChannels.ToReceivers(_options.Channel), inferenceRank, peer, deadline, cancellationToken);

    /// <summary>Introduces this rank to another trainer rank, one of <see cref="GatherRanks"/>.</summary>
    /// <inheritdoc cref="ConnectReceiverAsync"/>
    public Task ConnectTrainerAsync(int trainerRank, Peer peer, TimeSpan deadline, CancellationToken cancellationToken = default) =>
        ConnectAsync(_trainers, WeightChannels.ToTrainers(_options.Channel), trainerRank, peer, deadline, cancellationToken);

    /// <summary>Frees the working memory. No update may be running.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        foreach (IDisposable registration in _registrations)
            registration.Dispose();
        if (_staging is not null)
            await _staging.DisposeAsync().ConfigureAwait(false);
        if (_gather is not null)
            await _gather.DisposeAsync().ConfigureAwait(false);
        if (_hashes is not null)
            await _hashes.DisposeAsync().ConfigureAwait(false);
        while (_assemblers.Reader.TryRead(out WeightAssembler? assembler))
            assembler.Dispose();
        _plan.Dispose();
    }

    private static int SlotsFor(long watermark, long stagingBytes, long gatherBytes)
    {
        long slot = stagingBytes + gatherBytes;
        if (slot == 0)
            return 0;
        return watermark / slot >= 2
            ? (int)Math.Min(MostSlots, watermark / slot)
            : throw new ArgumentOutOfRangeException(
                nameof(watermark), watermark, $"A task stages {stagingBytes} bytes and gathers {gatherBytes}; two of them need a watermark of {2 * slot}. Raise it, or plan with smaller tasks.");
    }

    private async Task ConnectAsync(
        ConcurrentDictionary<int, WeightReceiverLink> links, ushort channel, int rank, Peer peer, TimeSpan deadline, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(peer);
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        RequireFree(links, rank, peer);
        long began = Stopwatch.GetTimestamp();
        var link = new WeightReceiverLink(rank, peer);
        links[rank] = link;
        if (peer.Failure is { } failure)
            link.Fail(failure);
        try
        {
            await _engine.SendAsync(peer, channel, new WeightHello(WeightMessageHeader.CurrentVersion, Rank, rank, _terms, _name).ToBytes(), deadline).ConfigureAwait(false);
            TimeSpan left = deadline - Stopwatch.GetElapsedTime(began);
            await link.Welcome.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            links.TryRemove(KeyValuePair.Create(rank, link));
            if (exception is TimeoutException)
                throw new TimeoutException($"Rank {rank} at {peer.Address} did not answer the hello within {deadline.TotalSeconds:0.###} s; does it run with the same channel ({_options.Channel})?", exception);
            throw;
        }
    }

    /// <summary>One connection is one rank's: by it answers are told apart.</summary>
    private void RequireFree(ConcurrentDictionary<int, WeightReceiverLink> links, int rank, Peer peer)
    {
        if (links == _trainers && WeightGatherRequest.MostPieces(peer.MaxMessageLength) < 1)
            throw new ArgumentException($"Messages to {peer.Address} have {peer.MaxMessageLength} bytes at most, too few for a gather request; raise the fabric's message length.", nameof(peer));
        foreach (ConcurrentDictionary<int, WeightReceiverLink> known in (ConcurrentDictionary<int, WeightReceiverLink>[])[_links, _trainers])
        {
            if (known.Values.FirstOrDefault(link => link.Peer == peer) is { } link && (known != links || link.Rank != rank))
                throw new ArgumentException($"{peer.Address} is connected as {(known == _links ? "inference" : "trainer")} rank {link.Rank} already; use a connection of its own for each rank (TransferEngine.ConnectAsync).", nameof(peer));
        }
    }

    private long UnitsTo(int receiver)
    {
        long units = 0;
        foreach (ref readonly WeightTask task in _plan.Tasks)
        {
            foreach (ref readonly WeightSend send in _plan.SendsOf(in task))
                units += send.DestinationRank == receiver ? send.Units : 0;
        }

        return units;
    }
}
