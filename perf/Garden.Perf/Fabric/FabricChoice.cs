using Garden.Fabric;
using Garden.Fabric.Loopback;
using Garden.Interop.Libfabric;

namespace Garden.Perf.Fabric;

/// <summary>A fabric by name, and where its two ends bind to.</summary>
/// <param name="Name">loopback, tcp, shm or efa.</param>
/// <param name="Bind">tcp: a local address for each end; efa: an adapter's domain for each end. One serves both.</param>
internal sealed record FabricChoice(string Name, IReadOnlyList<string> Bind)
{
    public static IReadOnlyList<string> Names { get; } = ["loopback", "tcp", "shm", "efa"];

    /// <summary>Opens what writes through the engine, and the ceiling beside it.</summary>
    public (EngineWrites Engine, IWritePair Ceiling) Open(PairMemory memory, int depth) =>
        (new EngineWrites(Create(EngineWrites.QueueDepthFor(depth)), memory), OpenCeiling(memory, depth));

    public IWritePair OpenCeiling(PairMemory memory, int depth) =>
        Name == "loopback" ? new CopyPair(memory) : new RawPair(Create(EngineWrites.QueueDepthFor(depth)), memory, depth);

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
            default:
                return (Efa(BindOf(0), queueDepth), Efa(BindOf(1), queueDepth));
        }
    }

    private string? BindOf(int end) => Bind.Count == 0 ? null : Bind[Math.Min(end, Bind.Count - 1)];

    private static TcpFabric Tcp(string address, int queueDepth) => new(TcpOptions.At(address) with { QueueDepth = queueDepth });

    private static EfaFabric Efa(string? domain, int queueDepth) => new(new EfaOptions
    {
        Domains = [domain ?? throw new FabricException("efa needs --bind DOMAIN; `fi_info -p efa -t FI_EP_RDM` lists the adapters' domains.")],
        QueueDepth = queueDepth,
    });
}
