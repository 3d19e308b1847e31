using Garden.Fabric.Loopback;
using Garden.Weights;

namespace Garden.Core.Tests.Weights;

/// <summary>Trainer and inference ranks of <see cref="FleetMap"/>, each on an engine of its own, connected as the plan needs.</summary>
internal sealed class WeightFleet : IAsyncDisposable
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private WeightFleet(FleetOptions options)
    {
        Options = options;
        Meshes = WeightMeshes<FleetMap>.Create(options.Trainer, options.Inference);
        Schedule = WeightSchedule.Plan(Meshes, options: new WeightScheduleOptions { TaskBytes = options.TaskBytes });
    }

    public FleetOptions Options { get; }

    public LoopbackNetwork Network { get; } = new();

    public WeightMeshes<FleetMap> Meshes { get; }

    public WeightSchedule Schedule { get; }

    public List<FleetTrainer> Trainers { get; } = [];

    public List<FleetReceiver> Receivers { get; } = [];

    public static async Task<WeightFleet> CreateAsync(FleetOptions options)
    {
        var fleet = new WeightFleet(options);
        for (int rank = 0; rank < fleet.Meshes.Inference.Ranks; rank++)
            fleet.Receivers.Add(new FleetReceiver(fleet, rank));
        for (int rank = 0; rank < fleet.Meshes.Trainer.Ranks; rank++)
            fleet.Trainers.Add(new FleetTrainer(fleet, rank, $"trainer{rank}"));
        foreach (FleetTrainer trainer in fleet.Trainers)
            await trainer.ConnectAsync();
        return fleet;
    }

    /// <summary>A step on all ranks, from the tensors that the trainers hold after <see cref="Fill"/>.</summary>
    public async Task<WeightStepReport[]> UpdateAsync(long step)
    {
        Fill(step);
        Task<WeightVersion>[] receiving = [.. Receivers.Select(receiver => receiver.Receiver.ReceiveAsync(step, Limit))];
        WeightStepReport[] reports = await Task.WhenAll(Trainers.Select(trainer => trainer.Sender.UpdateAsync(step, Limit)));
        await Task.WhenAll(receiving);
        return reports;
    }

    public void Fill(long step)
    {
        foreach (FleetTrainer trainer in Trainers)
            FleetWeights.Fill(Meshes, trainer.Sender.Rank, step, trainer.Memory);
    }

    public TransferEngine Build(string name) => TransferEngine.CreateBuilder()
        .UseFabric(Options.Wrap(new LoopbackFabric(Network, new LoopbackOptions { Name = name, ReorderSeed = Options.ReorderSeed, Delay = Options.Delay, Nics = Options.Nics }), name))
        .Configure(options =>
        {
            options.WaitStrategy = WaitStrategy.Economic;
            options.HeartbeatInterval = Options.Heartbeat;
            options.DrainDeadline = Options.DrainDeadline;
        })
        .Build();

    public async ValueTask DisposeAsync()
    {
        foreach (FleetTrainer trainer in Trainers)
            await trainer.DisposeAsync();
        foreach (FleetReceiver receiver in Receivers)
            await receiver.DisposeAsync();
    }
}

internal sealed record FleetOptions(WeightMesh Trainer, WeightMesh Inference)
{
    public bool Verify { get; init; }

    public int Buffers { get; init; } = 2;

    /// <summary>A rank that is silent for three of these is dead: long where nobody dies, because machines are loaded.</summary>
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromSeconds(5);

    public TimeSpan DrainDeadline { get; init; } = TimeSpan.FromSeconds(5);

    public int Nics { get; init; } = 1;

    public int? ReorderSeed { get; init; }

    /// <summary>How long writes are on their way.</summary>
    public TimeSpan Delay { get; init; }

    public long TaskBytes { get; init; } = WeightScheduleOptions.LeastTaskBytes;

    public long Watermark { get; init; } = 4 << 20;

    public TimeSpan OfferDeadline { get; init; } = WeightFleet.Limit;

    public int Assemblers { get; init; } = 1;

    public Func<int, IWeightSource?> Source { get; init; } = static _ => null;

    /// <summary>Where inference ranks verify.</summary>
    public IWeightDevice? Device { get; init; }

    public Action<int, long>? InvalidateCaches { get; init; }

    public Func<Garden.Fabric.IFabric, string, Garden.Fabric.IFabric> Wrap { get; init; } = static (fabric, _) => fabric;
}

internal sealed class FleetTrainer : IAsyncDisposable
{
    private readonly WeightFleet _fleet;

    public FleetTrainer(WeightFleet fleet, int rank, string name)
    {
        _fleet = fleet;
        Engine = fleet.Build(name);
        Memory = new NativeBuffer(fleet.Meshes.TrainerBytes);
        Sender = new WeightSender<FleetMap>(Engine, fleet.Schedule, rank, new WeightSenderOptions
        {
            Tensors = Engine.Register(Memory),
            Name = name,
            Verify = fleet.Options.Verify,
            Watermark = fleet.Options.Watermark,
            OfferDeadline = fleet.Options.OfferDeadline,
            Assemblers = fleet.Options.Assemblers,
            Source = fleet.Options.Source(rank),
        });
    }

    public TransferEngine Engine { get; }

    public NativeBuffer Memory { get; }

    public WeightSender<FleetMap> Sender { get; }

    public async Task ConnectAsync()
    {
        foreach (FleetReceiver receiver in _fleet.Receivers)
            await Sender.ConnectReceiverAsync(receiver.Receiver.Rank, await Engine.ConnectAsync(receiver.Engine.Address, WeightFleet.Limit), WeightFleet.Limit);
        foreach (int rank in Sender.GatherRanks)
            await Sender.ConnectTrainerAsync(rank, await Engine.ConnectAsync(_fleet.Trainers[rank].Engine.Address, WeightFleet.Limit), WeightFleet.Limit);
    }

    public async ValueTask DisposeAsync()
    {
        await Sender.DisposeAsync();
        await Engine.DisposeAsync();
        Memory.Dispose();
    }
}

internal sealed class FleetReceiver : IAsyncDisposable
{
    private readonly WeightFleet _fleet;

    public FleetReceiver(WeightFleet fleet, int rank)
    {
        _fleet = fleet;
        Engine = fleet.Build($"inference{rank}");
        Memory = [.. Enumerable.Range(0, fleet.Options.Buffers).Select(_ => new NativeBuffer(fleet.Meshes.InferenceBytes))];
        Regions = [.. Memory.Select(memory => Engine.Register(memory))];
        Receiver = new WeightReceiver<FleetMap>(Engine, fleet.Schedule, rank, new WeightReceiverOptions
        {
            Buffers = Regions,
            Device = fleet.Options.Device,
            Name = $"inference{rank}",
            Verify = fleet.Options.Verify,
            InvalidateCaches = step => fleet.Options.InvalidateCaches?.Invoke(rank, step),
        });
    }

    public TransferEngine Engine { get; }

    public NativeBuffer[] Memory { get; }

    public MemoryRegion[] Regions { get; }

    public WeightReceiver<FleetMap> Receiver { get; }

    /// <summary>Every element of a version, against the model's tensors at its step.</summary>
    public long Verify(WeightVersion? version) =>
        FleetWeights.Verify(_fleet.Meshes, Receiver.Rank, version!.Step, Memory[version.Buffer]);

    public async ValueTask DisposeAsync()
    {
        await Receiver.DisposeAsync();
        await Engine.DisposeAsync();
        foreach (NativeBuffer memory in Memory)
            memory.Dispose();
    }
}
