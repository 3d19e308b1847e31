using Garden.Fabric;
using Garden.Interop.Libfabric;
using Garden.Testing;

namespace Garden.Interop.Tests.Libfabric;

public sealed class TcpEngineTests : EngineTests
{
    [Fact]
    public async Task T4_AMessageLongerThanThePeersBuffersIsRefusedByNameAndNoneAfterItIsLost()
    {
        await using FabricEngines pair = await FabricEngines.CreateAsync(Create(), new TcpFabric(TcpOptions.At("127.0.0.1") with { MaxMessageLength = 1024 }));
        using ReceiveQueue queue = pair.Receiver.OpenReceiveQueue(40);
        // More than there are slots for: a lost one would keep its own.
        for (int i = 0; i < 300; i++)
        {
            FabricException refused = await Assert.ThrowsAsync<FabricException>(() => pair.Sender.SendAsync(pair.Peer, 40, new byte[2000]).AsTask().WaitAsync(FabricEngines.Limit));
            Assert.Contains("MaxMessageLength", refused.Message, StringComparison.Ordinal);
        }

        await pair.Sender.SendAsync(pair.Peer, 40, new byte[500]).AsTask().WaitAsync(FabricEngines.Limit);
        using ReceivedMessage message = await queue.ReceiveAsync(FabricEngines.Limit);
        Assert.Equal(500, message.Bytes.Length);
    }

    protected override IFabric Create(int nics = 1, int queueDepth = 1024)
    {
        Backends.Require("tcp", LibfabricLibrary.IsPresent, LibfabricLibrary.InstallLine);
        return new TcpFabric(TcpOptions.At([.. Enumerable.Range(1, nics).Select(i => $"127.0.0.{i}")]) with { QueueDepth = queueDepth });
    }
}

public sealed class ShmEngineTests : EngineTests
{
    protected override IFabric Create(int nics = 1, int queueDepth = 1024)
    {
        Backends.Require("shm", LibfabricLibrary.IsPresent, LibfabricLibrary.InstallLine);
        return new ShmFabric(new ShmOptions { Nics = nics, QueueDepth = queueDepth });
    }
}
