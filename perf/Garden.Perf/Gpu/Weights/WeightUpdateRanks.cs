using Garden.Kernels;
using Garden.Kernels.Weights;
using Garden.Weights;
using WeightSync;

namespace Garden.Perf.Gpu;

/// <summary>All ranks of an update of Llama-3-8B over nvlink: trainers on one GPU, receivers on another one or the same, each rank an engine.</summary>
internal sealed class WeightUpdateRanks : IAsyncDisposable
{
    private const ushort Channel = 0x5770;

    /// <summary>A matrix a task: launches and hand-overs cost tens of microseconds, in which a GPU moves tens of megabytes.</summary>
    private const long TaskBytes = 128 << 20;

    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(60);
    private readonly WeightDevice _sending;
    private readonly WeightDevice _receiving;
    private readonly List<IAsyncDisposable> _parts = [];
    private readonly List<WeightSender<Llama8B>> _senders = [];
    private readonly List<WeightReceiver<Llama8B>> _receivers = [];
    private long _step;

    private WeightUpdateRanks(KernelDevice sender, KernelDevice receiver, int trainers, int inference)
    {
        Meshes = WeightMeshes<Llama8B>.Create(new WeightMesh(trainers), new WeightMesh(inference));
        (_sending, _receiving) = (new WeightDevice(sender), new WeightDevice(receiver));
    }

    public WeightMeshes<Llama8B> Meshes { get; }

    public List<DeviceBuffer> Trainers { get; } = [];

    public List<DeviceBuffer> Receivers { get; } = [];

    public static async Task<WeightUpdateRanks> CreateAsync(KernelDevice sender, KernelDevice receiver, int trainers, int inference, bool verify, IWeightSource? source)
    {
        var ranks = new WeightUpdateRanks(sender, receiver, trainers, inference);
        WeightSchedule schedule = WeightSchedule.Plan(ranks.Meshes, options: new WeightScheduleOptions { TaskBytes = TaskBytes });
        var engines = new List<TransferEngine>();
        for (int rank = 0; rank < inference; rank++)
        {
            (TransferEngine engine, MemoryRegion region) = ranks.Build(receiver, ranks.Meshes.InferenceBytes, ranks.Receivers);
            engines.Add(engine);
            ranks._receivers.Add(new WeightReceiver<Llama8B>(engine, schedule, rank, new WeightReceiverOptions { Buffers = [region], Verify = verify, Device = ranks._receiving, Channel = Channel }));
        }

        for (int rank = 0; rank < trainers; rank++)
        {
            (TransferEngine engine, MemoryRegion region) = ranks.Build(sender, ranks.Meshes.TrainerBytes, ranks.Trainers);
            var sending = new WeightSender<Llama8B>(engine, schedule, rank, new WeightSenderOptions
            {
                Tensors = region,
                Device = ranks._sending,
                Source = source,
                Verify = verify,
                Assemblers = 3,
                Watermark = 2L << 30,
                Channel = Channel,
            });
            ranks._senders.Add(sending);
            for (int other = 0; other < inference; other++)
                await sending.ConnectReceiverAsync(other, await engine.ConnectAsync(engines[other].Address, s_deadline), s_deadline);
            if (sending.GatherRanks.Count != 0)
                throw new InvalidOperationException($"Trainer rank {rank} of {trainers} lacks parts of blocks; this scenario takes counts that divide blocks evenly.");
        }

        return ranks;
    }

    /// <summary>One update on all ranks; where its time went on the trainers.</summary>
    public async Task<WeightStageTimes[]> UpdateAsync()
    {
        long step = ++_step;
        Task<WeightVersion>[] receiving = [.. _receivers.Select(receiver => receiver.ReceiveAsync(step, s_deadline))];
        WeightStepReport[] reports = await Task.WhenAll(_senders.Select(sender => sender.UpdateAsync(step, s_deadline)));
        await Task.WhenAll(receiving);
        _receivers.ForEach(static receiver => receiver.Swap());
        if (Array.Find(reports, static report => !report.IsComplete) is { } failed)
            throw new InvalidOperationException($"{failed}");
        return [.. reports.Select(static report => report.Times)];
    }

    public async ValueTask DisposeAsync()
    {
        foreach (WeightSender<Llama8B> sender in _senders)
            await sender.DisposeAsync();
        foreach (WeightReceiver<Llama8B> receiver in _receivers)
            await receiver.DisposeAsync();
        foreach (IAsyncDisposable part in Enumerable.Reverse(_parts))
            await part.DisposeAsync();
        foreach (DeviceBuffer buffer in Trainers.Concat(Receivers))
            buffer.Dispose();
        _sending.Dispose();
        _receiving.Dispose();
    }

    private (TransferEngine Engine, MemoryRegion Region) Build(KernelDevice device, long bytes, List<DeviceBuffer> buffers)
    {
        TransferEngine engine = NvlinkPair.Build(device);
        DeviceBuffer buffer = device.Allocate(bytes);
        BufferRegistration registration = buffer.RegisterWith(engine);
        buffers.Add(buffer);
        _parts.Add(engine);
        _parts.Add(registration);
        return (engine, registration.Region);
    }
}
