using Garden;
using Garden.Fabric.Loopback;
using Garden.Interop.Libfabric;

namespace WeightSync;

/// <summary>Builds a rank's engine.</summary>
internal static class Engines
{
    public static TransferEngine OnLoopback(LoopbackNetwork network, string name) => Configure(TransferEngine.CreateBuilder()).UseLoopback(network, name).Build();

    /// <summary>Writes of 1 MiB: longer ones of several processes push each other out of the cache between tcp's two copies.</summary>
    public static TransferEngine OnTcp() => Configure(TransferEngine.CreateBuilder()).UseTcp(TcpOptions.At("127.0.0.1") with { MaxWriteLength = 1 << 20 }).Build();

    private static TransferEngineBuilder Configure(TransferEngineBuilder builder) =>
        // More ranks than cores: workers park instead of spinning.
        builder.Configure(static options => options.WaitStrategy = WaitStrategy.Economic);
}
