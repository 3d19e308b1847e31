using Garden.Fabric;
using Garden.Fabric.Loopback;
using Garden.KvCache;
using Garden.Testing;

namespace Garden.Core.Tests.KvCache;

/// <summary>A prefiller and a decoder of <see cref="SmallPages"/>, each with an engine and a small pool.</summary>
internal sealed class KvPair : IAsyncDisposable
{
    public const int PoolPages = 96;
    public const int TailBytes = 1000;
    private const byte Poison = 0xA5;

    private readonly NativeBuffer _source = new(SmallPages.PoolBytes(PoolPages));
    private readonly NativeBuffer _destination = new(SmallPages.PoolBytes(PoolPages));
    private readonly NativeBuffer _tails = new(16 * TailBytes);

    private KvPair()
    {
    }

    public LoopbackNetwork Network { get; } = new();

    public TransferEngine PrefillEngine { get; private set; } = null!;

    public TransferEngine DecodeEngine { get; private set; } = null!;

    public MemoryRegion DestinationRegion { get; private set; } = null!;

    public KvPrefiller<SmallPages.Transfer> Prefiller { get; private set; } = null!;

    public KvDecoder<SmallPages.Transfer> Decoder { get; private set; } = null!;

    /// <summary>The prefiller as the decoder's engine sees it.</summary>
    public Peer Peer { get; private set; } = null!;

    public KvPagePool SourcePages { get; } = new(PoolPages);

    public KvPagePool DestinationPages { get; } = new(Enumerable.Range(0, PoolPages).Reverse().ToArray());

    public static TimeSpan Limit => TimeSpan.FromSeconds(20);

    public static async Task<KvPair> CreateAsync(
        int nics = 1,
        int? reorderSeed = null,
        FabricCompletionLevel completion = FabricCompletionLevel.RemotePlaced,
        TimeSpan? stopDeadline = null,
        TimeSpan? jobDrainDeadline = null,
        TimeSpan? engineDrainDeadline = null,
        bool withPrefiller = true,
        int maxMessageLength = 16 * 1024,
        int? maxTransfers = null)
    {
        var pair = new KvPair();
        pair.PrefillEngine = Build("prefill");
        pair.DecodeEngine = Build("decode");
        MemoryRegion source = pair.PrefillEngine.Register(pair._source);
        pair.DestinationRegion = pair.DecodeEngine.Register(pair._destination);
        pair._destination.Span(0, (int)pair._destination.Length).Fill(Poison);
        if (withPrefiller)
            pair.Prefiller = new KvPrefiller<SmallPages.Transfer>(pair.PrefillEngine, new KvPrefillerOptions { Pool = source, PoolPages = PoolPages, MaxTailLength = TailBytes, DrainDeadline = jobDrainDeadline ?? TimeSpan.FromSeconds(10) });
        pair.Decoder = new KvDecoder<SmallPages.Transfer>(pair.DecodeEngine, new KvDecoderOptions
        {
            Pool = pair.DestinationRegion,
            PoolPages = PoolPages,
            Tails = pair.DecodeEngine.Register(pair._tails),
            RequestDeadline = Limit,
            HandshakeDeadline = withPrefiller ? Limit : TimeSpan.FromMilliseconds(200),
            StopDeadline = stopDeadline ?? Limit,
        });
        pair.Peer = await pair.DecodeEngine.ConnectAsync(pair.PrefillEngine.Address);
        return pair;

        TransferEngine Build(string name) => TransferEngine.CreateBuilder()
            .UseLoopback(pair.Network, new LoopbackOptions { Name = name, Nics = nics, ReorderSeed = reorderSeed, Completion = completion, MaxMessageLength = maxMessageLength })
            // Tests hold deliveries, heartbeats included; only KillDevice may end a peer.
            .Configure(options =>
            {
                options.MissedHeartbeats = 60;
                options.DrainDeadline = engineDrainDeadline ?? options.DrainDeadline;
                if (maxTransfers is { } most)
                    (options.MaxTransfers, options.RingSlots) = (most, most / 4);
            })
            .Build();
    }

    /// <summary>The tail of a request.</summary>
    public static byte[] Tail(int id, int length)
    {
        byte[] tail = new byte[length];
        new Random(id + 1).NextBytes(tail);
        return tail;
    }

    public KvRequest Request(int tokens, int tailBytes = TailBytes, int id = 0, int firstToken = 0) => new()
    {
        Pages = DestinationPages.TryLease((firstToken + tokens + SmallPages.TokensPerPage - 1) / SmallPages.TokensPerPage)!,
        FirstToken = firstToken,
        TokenCount = tokens,
        TailOffset = (long)id * TailBytes,
        TailLength = tailBytes,
        Payload = BitConverter.GetBytes(id),
    };

    /// <summary>The next job, with its pages filled and handed over.</summary>
    public async Task<KvPrefillJob<SmallPages.Transfer>> NextJobAsync()
    {
        using var limit = new CancellationTokenSource(Limit);
        await foreach (KvPrefillJob<SmallPages.Transfer> job in Prefiller.ReadJobsAsync(limit.Token))
        {
            KvPageLease lease = await SourcePages.LeaseAsync(job.PageCount, Limit);
            Fill(job, lease);
            job.UsePages(lease);
            return job;
        }

        throw new InvalidOperationException("The prefiller ended.");
    }

    /// <summary>Serves one job: all layers in chunks, then the tail.</summary>
    public async Task ServeAsync(int chunkTokens = int.MaxValue)
    {
        await using KvPrefillJob<SmallPages.Transfer> job = await NextJobAsync();
        int last = job.FirstToken + job.TokenCount;
        for (int first = job.FirstToken; first < last;)
        {
            int end = (int)Math.Min(last, ((long)first / 16 * 16) + chunkTokens);
            job.BeginChunk(first, end - first);
            for (int layer = 0; layer < job.LayerCount; layer++)
                job.LayerDone(layer);
            first = end;
        }

        await job.FinishAsync(Tail(Id(job), job.TailLength)).WaitAsync(Limit);
    }

    /// <summary>Asserts that every byte of every page and of the tail is what the job was filled with.</summary>
    public void AssertDelivered(KvDelivery delivery, int id, int tailBytes = TailBytes)
    {
        byte[] expected = new byte[SmallPages.BytesPerPage];
        for (int layer = 0; layer < SmallPages.Layers; layer++)
        {
            for (int i = 0; i < delivery.Pages.Count; i++)
            {
                Pattern(expected, id, layer, i);
                Assert.True(expected.AsSpan().SequenceEqual(Page(_destination, layer, delivery.Pages.Pages[i])), $"request {id}, layer {layer}, page {i} differs");
            }
        }

        Assert.Equal(Tail(id, tailBytes), _tails.Span((long)id * TailBytes, tailBytes).ToArray());
    }

    /// <summary>True when a page of the decoder's pool holds what nobody has written.</summary>
    public bool IsUntouched(int page) =>
        Enumerable.Range(0, SmallPages.Layers).All(layer => !Page(_destination, layer, page).ContainsAnyExcept(Poison));

    public void PoisonPage(int page)
    {
        for (int layer = 0; layer < SmallPages.Layers; layer++)
            Page(_destination, layer, page).Fill(Poison);
    }

    public async ValueTask DisposeAsync()
    {
        await Decoder.DisposeAsync();
        if (Prefiller is not null)
            await Prefiller.DisposeAsync();
        await DecodeEngine.DisposeAsync();
        await PrefillEngine.DisposeAsync();
        _source.Dispose();
        _destination.Dispose();
        _tails.Dispose();
    }

    private static int Id(KvPrefillJob<SmallPages.Transfer> job) => BitConverter.ToInt32(job.Payload.Span);

    private static void Pattern(Span<byte> page, int id, int layer, int position) =>
        new Random((((id * 31) + layer) * 1009) + position).NextBytes(page);

    private static Span<byte> Page(NativeBuffer pool, int layer, int page) =>
        pool.Span(SmallPages.PlaneOffset(PoolPages, layer, page, 0), (int)SmallPages.BytesPerPage);

    private void Fill(KvPrefillJob<SmallPages.Transfer> job, KvPageLease lease)
    {
        for (int layer = 0; layer < SmallPages.Layers; layer++)
        {
            for (int i = 0; i < lease.Count; i++)
                Pattern(Page(_source, layer, lease.Pages[i]), Id(job), layer, i);
        }
    }
}
