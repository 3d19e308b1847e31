using Garden.Core.Tests.Weights;
using Garden.Kernels.Weights;
using Garden.Weights;

namespace Garden.Kernels.Tests.Weights;

/// <summary>Trainer and inference ranks of <see cref="FleetMap"/> over nvlink, all tensors in the memory of one device.</summary>
internal sealed class DeviceFleet : IAsyncDisposable
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly WeightDevice _device;
    private readonly List<TransferEngine> _engines = [];
    private readonly List<BufferRegistration> _registrations = [];

    private DeviceFleet(KernelDevice device) => _device = new WeightDevice(device);

    public WeightMeshes<FleetMap> Meshes { get; } = WeightMeshes<FleetMap>.Create(new WeightMesh(3, 2), new WeightMesh(2, 2));

    public List<(WeightSender<FleetMap> Sender, DeviceBuffer Tensors)> Trainers { get; } = [];

    public List<(WeightReceiver<FleetMap> Receiver, DeviceBuffer Tensors)> Receivers { get; } = [];

    public static async Task<DeviceFleet> CreateAsync(KernelDevice device, Func<int, IWeightSource?> source)
    {
        var fleet = new DeviceFleet(device);
        WeightSchedule schedule = WeightSchedule.Plan(fleet.Meshes, options: new WeightScheduleOptions { TaskBytes = WeightScheduleOptions.LeastTaskBytes });
        for (int rank = 0; rank < fleet.Meshes.Inference.Ranks; rank++)
        {
            (TransferEngine engine, DeviceBuffer tensors, MemoryRegion region) = fleet.Build(device, fleet.Meshes.InferenceBytes);
            fleet.Receivers.Add((new WeightReceiver<FleetMap>(engine, schedule, rank, new WeightReceiverOptions { Buffers = [region], Verify = true, Device = fleet._device }), tensors));
        }

        for (int rank = 0; rank < fleet.Meshes.Trainer.Ranks; rank++)
        {
            (TransferEngine engine, DeviceBuffer tensors, MemoryRegion region) = fleet.Build(device, fleet.Meshes.TrainerBytes);
            fleet.Trainers.Add((new WeightSender<FleetMap>(engine, schedule, rank, new WeightSenderOptions
            {
                Tensors = region,
                Verify = true,
                Device = fleet._device,
                Watermark = 4 << 20,
                Source = source(rank),
            }), tensors));
        }

        TransferEngine[] inference = [.. fleet._engines.Take(fleet.Receivers.Count)], trainers = [.. fleet._engines.Skip(fleet.Receivers.Count)];
        for (int rank = 0; rank < trainers.Length; rank++)
        {
            for (int receiver = 0; receiver < inference.Length; receiver++)
                await fleet.Trainers[rank].Sender.ConnectReceiverAsync(receiver, await trainers[rank].ConnectAsync(inference[receiver].Address, Limit), Limit);
            foreach (int holder in fleet.Trainers[rank].Sender.GatherRanks)
                await fleet.Trainers[rank].Sender.ConnectTrainerAsync(holder, await trainers[rank].ConnectAsync(trainers[holder].Address, Limit), Limit);
        }

        return fleet;
    }

    /// <summary>What a trainer rank holds at a step.</summary>
    public NativeBuffer TensorsOf(int rank, long step)
    {
        var memory = new NativeBuffer(Meshes.TrainerBytes);
        FleetWeights.Fill(Meshes, rank, step, memory);
        return memory;
    }

    public async Task<WeightStepReport[]> UpdateAsync(long step)
    {
        Task<WeightVersion>[] receiving = [.. Receivers.Select(receiver => receiver.Receiver.ReceiveAsync(step, Limit))];
        WeightStepReport[] reports = await Task.WhenAll(Trainers.Select(trainer => trainer.Sender.UpdateAsync(step, Limit)));
        await Task.WhenAll(receiving);
        return reports;
    }

    /// <summary>Every element that a receiver should have, by the scalar reference; the number of bytes.</summary>
    public long Verify(int rank, long step)
    {
        using var memory = new NativeBuffer(Meshes.InferenceBytes);
        Receivers[rank].Tensors.Read(memory.Span(0, (int)memory.Length));
        return FleetWeights.Verify(Meshes, rank, step, memory);
    }

    public async ValueTask DisposeAsync()
    {
        foreach ((WeightSender<FleetMap> sender, _) in Trainers)
            await sender.DisposeAsync();
        foreach ((WeightReceiver<FleetMap> receiver, _) in Receivers)
            await receiver.DisposeAsync();
        foreach (BufferRegistration registration in _registrations)
            await registration.DisposeAsync();
        foreach (TransferEngine engine in _engines)
            await engine.DisposeAsync();
        foreach (DeviceBuffer tensors in Trainers.Select(static rank => rank.Tensors).Concat(Receivers.Select(static rank => rank.Tensors)))
            tensors.Dispose();
        _device.Dispose();
    }

    private (TransferEngine Engine, DeviceBuffer Tensors, MemoryRegion Region) Build(KernelDevice device, long bytes)
    {
        TransferEngine engine = TransferEngine.CreateBuilder().UseNvlink(device)
            .Configure(static options => (options.WaitStrategy, options.HeartbeatInterval) = (WaitStrategy.Economic, TimeSpan.FromSeconds(5)))
            .Build();
        _engines.Add(engine);
        DeviceBuffer tensors = device.Allocate(bytes);
        tensors.Write(TestBytes.Poisoned(bytes));
        BufferRegistration registration = tensors.RegisterWith(engine);
        _registrations.Add(registration);
        return (engine, tensors, registration.Region);
    }
}
