using System.Runtime.InteropServices;
using Garden.Fabric.Loopback;
using Garden.Weights;

namespace Garden.Core.Tests.Weights;

/// <summary>Flat parts whose ends lie inside blocks, and an inference rank a row of blocks: a trainer rank lends parts of blocks to one whose receivers it does not send to.</summary>
[WeightShardMap(TrainerMesh = "dp=3", InferenceMesh = "tp=4", Trainer = "flat(dp)")]
[WeightTensor("w", Rows, Columns, Inference = "shard(0, tp)", Convert = WeightConversion.Float8Block128)]
public partial struct BorderMap
{
    internal const int Rows = 512, Columns = 200;
}

/// <summary>Ranks of <see cref="BorderMap"/> that know nobody but those whom the plan makes them send to or gather from.</summary>
internal sealed class BorderFleet : IAsyncDisposable
{
    private readonly List<NativeBuffer> _memory = [];
    private readonly ushort[] _tensor;
    private readonly WeightMeshes<BorderMap> _meshes = WeightMeshes<BorderMap>.Create();

    private BorderFleet()
    {
        Schedule = WeightSchedule.Plan(_meshes);
        var random = new Random(7);
        _tensor = [.. Enumerable.Range(0, BorderMap.Rows * BorderMap.Columns).Select(_ => (ushort)(BitConverter.SingleToUInt32Bits((float)random.NextDouble() - 0.5f) >> 16))];
        (Holder, Requester) = FindBorder();
    }

    public WeightSchedule Schedule { get; }

    public LoopbackNetwork Network { get; } = new();

    /// <summary>A trainer rank that another one gathers from for receivers which this one does not send to.</summary>
    public int Holder { get; }

    /// <summary>That other one. Its first load waits for <see cref="Gate"/>.</summary>
    public int Requester { get; }

    public GatedSource Gate { get; } = new(0);

    public List<TransferEngine> Engines { get; } = [];

    public List<WeightReceiver<BorderMap>> Receivers { get; } = [];

    public List<WeightSender<BorderMap>> Senders { get; } = [];

    /// <param name="everybody">Connects each trainer rank to each inference rank, also those it sends nothing.</param>
    public static async Task<BorderFleet> CreateAsync(bool everybody = false)
    {
        var fleet = new BorderFleet();
        for (int rank = 0; rank < 4; rank++)
            fleet.AddReceiver(rank);
        for (int rank = 0; rank < 3; rank++)
            fleet.AddSender(rank);
        foreach (WeightSender<BorderMap> sender in fleet.Senders)
        {
            TransferEngine engine = fleet.Engines[4 + sender.Rank];
            foreach (int rank in everybody ? [0, 1, 2, 3] : sender.ReceiverRanks)
                await sender.ConnectReceiverAsync(rank, await engine.ConnectAsync(fleet.Engines[rank].Address, WeightFleet.Limit), WeightFleet.Limit);
            foreach (int rank in sender.GatherRanks)
                await sender.ConnectTrainerAsync(rank, await engine.ConnectAsync(fleet.Engines[4 + rank].Address, WeightFleet.Limit), WeightFleet.Limit);
        }

        return fleet;
    }

    /// <summary>Compares an inference rank's block row with the scalar conversion.</summary>
    public void Verify(int rank)
    {
        const int Height = BorderMap.Rows / 4, Bytes = Height * BorderMap.Columns;
        byte[] elements = new byte[Bytes];
        Float8BlocksReference.ConvertRow(_tensor.AsSpan(rank * Bytes, Bytes), Height, BorderMap.Columns, elements, new float[2]);
        WeightHolding holding = WeightTensors<BorderMap>.AtInference(in _meshes, rank, 0)!.Value;
        Assert.Equal(elements, _memory[rank].Span(holding.Offset, Bytes).ToArray());
    }

    public async ValueTask DisposeAsync()
    {
        Gate.Open();
        foreach (WeightSender<BorderMap> sender in Senders)
            await sender.DisposeAsync();
        foreach (WeightReceiver<BorderMap> receiver in Receivers)
            await receiver.DisposeAsync();
        foreach (TransferEngine engine in Engines)
            await engine.DisposeAsync();
        _memory.ForEach(static memory => memory.Dispose());
    }

    private void AddReceiver(int rank) => Receivers.Add(new WeightReceiver<BorderMap>(
        Add($"inference{rank}", _meshes.InferenceBytes, out MemoryRegion region), Schedule, rank, new WeightReceiverOptions { Buffers = [region] }));

    private void AddSender(int rank)
    {
        TransferEngine engine = Add($"trainer{rank}", _meshes.TrainerBytes, out MemoryRegion region);
        WeightHolding holding = WeightTensors<BorderMap>.AtTrainer(in _meshes, rank, 0)!.Value;
        _tensor.AsSpan((int)holding.Flat.First, (int)holding.Flat.Count).CopyTo(MemoryMarshal.Cast<byte, ushort>(_memory[^1].Span(holding.Offset, (int)holding.Flat.Count * sizeof(ushort))));
        Senders.Add(new WeightSender<BorderMap>(engine, Schedule, rank, new WeightSenderOptions { Tensors = region, Source = rank == Requester ? Gate : null }));
    }

    private TransferEngine Add(string name, long bytes, out MemoryRegion region)
    {
        TransferEngine engine = TransferEngine.CreateBuilder().UseLoopback(Network, name).Configure(static options => options.WaitStrategy = WaitStrategy.Economic).Build();
        Engines.Add(engine);
        _memory.Add(new NativeBuffer(bytes));
        region = engine.Register(_memory[^1]);
        return engine;
    }

    private (int Holder, int Requester) FindBorder()
    {
        WeightSenderPlan[] plans = [.. Enumerable.Range(0, 3).Select(Schedule.SenderPlan)];
        try
        {
            foreach (WeightSenderPlan plan in plans)
            {
                foreach (WeightTask task in plan.Tasks.ToArray())
                {
                    int[] receivers = [.. plan.SendsOf(in task).ToArray().Select(static send => send.DestinationRank)];
                    foreach (int holder in plan.Gathers(in task).Select(static piece => piece.SourceRank).Where(rank => rank != plan.Rank))
                    {
                        if (!plans[holder].Tasks.ToArray().Any(other => plans[holder].SendsOf(in other).ToArray().Any(send => receivers.Contains(send.DestinationRank))))
                            return (holder, plan.Rank);
                    }
                }
            }
        }
        finally
        {
            foreach (WeightSenderPlan plan in plans)
                plan.Dispose();
        }

        throw new InvalidOperationException("No rank of this schedule lends a border to another one's receivers; choose another map.");
    }
}
