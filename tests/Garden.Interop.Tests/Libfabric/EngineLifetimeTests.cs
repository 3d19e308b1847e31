using Garden.Fabric;
using Garden.Interop.Libfabric;
using Garden.Interop.Tests.Processes;
using Garden.Testing;

namespace Garden.Interop.Tests.Libfabric;

/// <summary>What engines leave behind. The descriptors are the process's, so nothing else may run in it.</summary>
public abstract class EngineLifetimeTests
{
    /// <summary>A fabric with one NIC.</summary>
    protected abstract IFabric Create();

    [Fact]
    public async Task T1_EnginesComeAndGoWithRunningTransfersAndKeepNoDescriptors()
    {
        await using FabricEngines pair = await FabricEngines.CreateAsync(Create(), Create());
        int before = 0;
        for (int round = 0; round < 30; round++)
        {
            TransferEngine engine = FabricEngines.Build(Create());
            using (var buffer = new NativeBuffer(1 << 16))
            {
                MemoryRegion region = engine.Register(buffer);
                Peer peer = await engine.ConnectAsync(pair.Receiver.Address, FabricEngines.Limit);
                RemoteRegion remote = peer.Import(pair.DestinationRegion.Export());
                for (int i = 0; i < 20; i++)
                    engine.SubmitSingleWrite(region, 0, remote, 0, 1 << 16).Forget();
                await engine.DisposeAsync();
            }

            if (round == 9)
                before = OpenDescriptors();
        }

        // A connection's socket may still be on its way out.
        await FabricEngines.UntilAsync(() => OpenDescriptors() <= before + 4, $"file descriptors to be closed: {OpenDescriptors()} are open, {before} were");
    }

    private static int OpenDescriptors() => Directory.GetFiles("/proc/self/fd").Length;
}

[Collection(StormCollection.Name)]
public sealed class TcpLifetimeTests : EngineLifetimeTests
{
    protected override IFabric Create()
    {
        Backends.Require("tcp", LibfabricLibrary.IsPresent, LibfabricLibrary.InstallLine);
        return new TcpFabric(TcpOptions.At("127.0.0.1"));
    }
}

[Collection(StormCollection.Name)]
public sealed class ShmLifetimeTests : EngineLifetimeTests
{
    protected override IFabric Create()
    {
        Backends.Require("shm", LibfabricLibrary.IsPresent, LibfabricLibrary.InstallLine);
        return new ShmFabric(new ShmOptions());
    }
}
