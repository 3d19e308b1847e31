using System.Runtime.InteropServices;
using Garden;
using Garden.Experts;
using Garden.Kernels;
using Garden.Kernels.Experts;

namespace ExpertParallel;

/// <summary>One rank: its tokens, its experts, and the four steps of a round.</summary>
internal sealed class RankWork<TRouting> : IAsyncDisposable
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    private readonly KernelDevice _device;
    private readonly DeviceBuffer _input;
    private readonly DeviceBuffer _topK;
    private readonly DeviceBuffer _weights;
    private readonly DeviceBuffer _results;
    private readonly DeviceBuffer _combined;
    private readonly ExpertRows _rows;
    private readonly ExpertExchange<TRouting>? _exchange;
    private readonly TimeSpan _deadline = TimeSpan.FromSeconds(30);

    public RankWork(ExpertKernels<TRouting> kernels, in ExpertGroup group, int number, TransferEngine? engine)
    {
        _device = kernels.Device;
        Rank = new ExpertRank<TRouting>(kernels, group, number);
        _rows = ExpertRows.Allocate(Rank);
        _input = _device.Allocate((long)group.Tokens * TRouting.HiddenSize * sizeof(ushort));
        _topK = _device.Allocate((long)group.Tokens * TRouting.TopK * sizeof(int));
        _weights = _device.Allocate((long)group.Tokens * TRouting.TopK * sizeof(float));
        _results = _device.Allocate(_rows.Capacity * TRouting.HiddenSize * sizeof(ushort));
        _combined = _device.Allocate(_input.Length);
        _exchange = engine is null ? null : new ExpertExchange<TRouting>(Rank, engine);
    }

    public ExpertRank<TRouting> Rank { get; }

    public ExpertAddress? Address => _exchange?.Address;

    /// <summary>Ranks that are gone on without.</summary>
    public HashSet<int> Masked { get; } = [];

    /// <summary>This round's tokens.</summary>
    public ushort[] Input { get; private set; } = [];

    public int[] Choices { get; private set; } = [];

    public float[] Weights { get; private set; } = [];

    public async Task ConnectAsync(IReadOnlyList<RankWork<TRouting>> all, CancellationToken cancellationToken)
    {
        // Ranks of one node write into each other's memory; those of other nodes are reached by the engine.
        foreach (RankWork<TRouting> peer in all.Where(peer => peer.Rank.Rank / Rank.Group.RanksPerNode == Rank.Rank / Rank.Group.RanksPerNode))
            Rank.Connect(peer.Rank.Rank, peer.Rank.Addresses);
        if (_exchange is not null)
            await _exchange.ConnectAsync(all.Select(static peer => peer.Address!), _deadline, cancellationToken);
    }

    /// <summary>Connects ranks that are all on other nodes.</summary>
    public async Task ConnectAsync(IEnumerable<ExpertAddress> others, CancellationToken cancellationToken)
    {
        await _exchange!.ConnectAsync(others, _deadline, cancellationToken);
        foreach (ExpertAddress other in others)
            Masked.Remove(other.Rank);
    }

    /// <summary>Goes on without a rank whose process has ended.</summary>
    public void Mask(int rank)
    {
        Rank.Mask(rank, isGone: true);
        Masked.Add(rank);
    }

    public void Send(Random random, int tokens, bool zipf)
    {
        Input = [.. Enumerable.Range(0, tokens * TRouting.HiddenSize).Select(_ => Numbers.ToBFloat16((random.NextSingle() - 0.5f) * 4))];
        (Choices, Weights) = Router.Route(random, tokens, TRouting.Experts, TRouting.TopK, zipf);
        _input.Write(MemoryMarshal.AsBytes(Input.AsSpan()));
        _topK.Write(MemoryMarshal.AsBytes(Choices.AsSpan()));
        _weights.Write(MemoryMarshal.AsBytes(Weights.AsSpan()));
        Rank.SetTokens(_device.DefaultStream, tokens);
        Rank.DispatchSend(_device.DefaultStream, new ExpertTokens(_input, _topK, _weights));
    }

    /// <summary>Takes the rows, runs the experts, sends their results.</summary>
    public void RunExperts(uint round, bool corrupt, CancellationToken cancellationToken)
    {
        _exchange?.WaitForRows(round, _deadline, cancellationToken);
        Rank.DispatchReceive(_device.DefaultStream, _rows);
        int first = ExpertPlacement.FirstExpert<TRouting>(Rank.Group.Ranks, Rank.Rank), count = ExpertPlacement.LocalExperts<TRouting>(Rank.Group.Ranks, Rank.Rank);
        int[] firstRows = Read<int>(_rows.FirstRows, count + 1), counts = Read<int>(_rows.ExpertCounts, count);
        byte[] rows = Read<byte>(_rows.Rows, firstRows[count] * TRouting.HiddenSize * TRouting.ElementBytes);
        float[] scales = _rows.Scales is null ? [] : Read<float>(_rows.Scales, firstRows[count] * TRouting.ScaleCount);
        byte[] results = new byte[firstRows[count] * TRouting.HiddenSize * sizeof(ushort)];
        ToyExperts.Run<TRouting>(first, firstRows, counts, rows, scales, results);
        if (corrupt && results.Length != 0)
            results.AsSpan(0, TRouting.HiddenSize * sizeof(ushort)).Fill(0x41);
        _results.Write(results);
        Rank.CombineSend(_device.DefaultStream, _results);
    }

    /// <summary>The combined tokens; the round ends.</summary>
    public ushort[] Combine(uint round, int tokens, CancellationToken cancellationToken)
    {
        _exchange?.WaitForResults(round, _deadline, cancellationToken);
        Rank.CombineReceive(_device.DefaultStream, _combined);
        ushort[] combined = Read<ushort>(_combined, tokens * TRouting.HiddenSize);
        Rank.ReadReport();
        return combined;
    }

    public async ValueTask DisposeAsync()
    {
        if (_exchange is not null)
            await _exchange.DisposeAsync();
        Rank.Dispose();
        _rows.Dispose();
        foreach (DeviceBuffer buffer in new[] { _input, _topK, _weights, _results, _combined })
            buffer.Dispose();
    }

    private static T[] Read<T>(DeviceBuffer buffer, int count)
        where T : unmanaged
    {
        var values = new T[count];
        buffer.Read(MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }
}
