using Garden;
using Garden.Fabric.Loopback;
using Garden.Interop.Libfabric;
using Garden.Kernels;
using Garden.Kernels.Nvlink;

namespace KvStreaming;

/// <summary>Builds engines on the fabric the command line names.</summary>
internal static class Engines
{
    /// <summary>The default: both engines in this process, on a network of their own, with nothing to install.</summary>
    public static TransferEngine OnLoopback(LoopbackNetwork network, string name, SampleOptions options) =>
        CreateBuilder(options)
            .UseLoopback(network, new LoopbackOptions { Name = name, Nics = options.Nics, ReorderSeed = options.ReorderSeed })
            .Build();

    /// <summary>An engine whose NICs are streams of a device.</summary>
    public static TransferEngine OnNvlink(KernelDevice device, SampleOptions options) =>
        CreateBuilder(options).UseNvlink(device, new NvlinkOptions { Nics = options.Nics }).Build();

    /// <summary>One side's engine, for a peer in another process.</summary>
    public static TransferEngine Build(SampleOptions options)
    {
        TransferEngineBuilder builder = CreateBuilder(options);
        return options.Fabric switch
        {
            FabricName.Tcp => builder.UseTcp(options.Bind.Length > 0 ? options.Bind : [.. Enumerable.Range(1, options.Nics).Select(nic => $"127.0.0.{nic}")]).Build(),
            FabricName.Shm => builder.UseShm(new ShmOptions { Nics = options.Nics }).Build(),
            FabricName.Verbs => builder.UseVerbs(options.Bind).Build(),
            _ => throw new UsageException("Loopback reaches no other process; use --fabric tcp, shm or verbs."),
        };
    }

    private static TransferEngineBuilder CreateBuilder(SampleOptions options) =>
        TransferEngine.CreateBuilder().Configure(engine => engine.HeartbeatInterval = options.Heartbeat);
}
