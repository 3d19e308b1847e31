using Garden;
using Garden.Fabric.Loopback;
using Garden.Interop.Libfabric;

namespace WeightSync;

/// <summary>Builds a rank's engine.</summary>
internal static class Engines
{
    public static TransferEngine OnLoopback(LoopbackNetwork network, string name) => Configure(TransferEngine.CreateBuilder()).UseLoopback(network, name).Build();

    public static TransferEngine OnTcp() => Configure(TransferEngine.CreateBuilder()).UseTcp("127.0.0.1").Build();

    private static TransferEngineBuilder Configure(TransferEngineBuilder builder) =>
        // More ranks than cores: workers park instead of spinning.
        builder.Configure(static options => options.WaitStrategy = WaitStrategy.Economic);
}
