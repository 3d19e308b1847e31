using Garden.Fabric;
using Garden.Fabric.Loopback;
using Garden.Interop.Libfabric;
using Garden.Interop.Verbs;

namespace Garden.Perf.Fabric;

/// <summary>A fabric by name, and where its two ends bind to.</summary>
/// <param name="Name">loopback, tcp, shm, efa or verbs.</param>
/// <param name="Bind">tcp: a local address for each end; efa: an adapter's domain, verbs: a device for each end. One serves both.</param>
internal sealed record FabricChoice(string Name, IReadOnlyList<string> Bind)
{
    public static IReadOnlyList<string> Names { get; } = ["loopback", "tcp", "shm", "efa", "verbs"];

    /// <summary>verbs: writes in one chain.</summary>
    public int ChainLength { get; init; } = new VerbsOptions().ChainLength;

    /// <summary>Opens what writes through the engine, and the ceiling beside it.</summary>
    public (EngineWrites Engine, IWritePair Ceiling) Open(PairMemory memory, int depth) =>
        (OpenEngine(memory, depth), OpenCeiling(memory, depth));

    public EngineWrites OpenEngine(PairMemory memory, int depth) => new(Create(EngineWrites.QueueDepthFor(depth)), memory);

    public IWritePair OpenCeiling(PairMemory memory, int depth)
    {
        if (Name == "loopback")
            return new CopyPair(memory);
        if (Name == "verbs")
        {
            VerbsOptions options = Verbs(depth);
            return new RawPair(new VerbsEnd(DeviceOf(0), options, memory.Source, depth), new VerbsEnd(DeviceOf(1), options, memory.Destination, depth));
        }

        (IFabric sender, IFabric receiver) = Create(EngineWrites.QueueDepthFor(depth));
        return new RawPair(new LibfabricEnd(sender, memory.Source, depth), new LibfabricEnd(receiver, memory.Destination, depth));
    }

    private (IFabric Sender, IFabric Receiver) Create(int queueDepth)
    {
        switch (Name)
        {
            case "loopback":
                var network = new LoopbackNetwork();
                return (new LoopbackFabric(network, new LoopbackOptions { Name = "sender", QueueDepth = queueDepth }),
                    new LoopbackFabric(network, new LoopbackOptions { Name = "receiver", QueueDepth = queueDepth }));
            case "shm":
                return (new ShmFabric(new ShmOptions { QueueDepth = queueDepth }), new ShmFabric(new ShmOptions { QueueDepth = queueDepth }));
            case "tcp":
                return (Tcp(BindOf(0) ?? "127.0.0.1", queueDepth), Tcp(BindOf(1) ?? "127.0.0.1", queueDepth));
            case "verbs":
                return (new RestingFabric(new VerbsFabric(Verbs(queueDepth) with { Devices = [DeviceOf(0)] })), new RestingFabric(new VerbsFabric(Verbs(queueDepth) with { Devices = [DeviceOf(1)] })));
            default:
                return (Efa(BindOf(0), queueDepth), Efa(BindOf(1), queueDepth));
        }
    }

    private string? BindOf(int end) => Bind.Count == 0 ? null : Bind[Math.Min(end, Bind.Count - 1)];

    /// <summary>Of the named devices, or of the active ones from the first: the last one serves both where there is one.</summary>
    private string DeviceOf(int end)
    {
        if (BindOf(end) is { } named)
            return named;
        IReadOnlyList<DeviceName> active = VerbsDevices.Active();
        return active[Math.Min(end, active.Count - 1)].ToString();
    }

    private VerbsOptions Verbs(int queueDepth) => new() { QueueDepth = queueDepth, ChainLength = ChainLength, MaxPeers = 4, ImmediateWindow = Math.Clamp(2 * queueDepth, 256, 4096) };

    private static TcpFabric Tcp(string address, int queueDepth) => new(TcpOptions.At(address) with { QueueDepth = queueDepth });

    private static EfaFabric Efa(string? domain, int queueDepth) => new(new EfaOptions
    {
        Domains = [domain ?? throw new FabricException("efa needs --bind DOMAIN; `fi_info -p efa -t FI_EP_RDM` lists the adapters' domains.")],
        QueueDepth = queueDepth,
    });
}
