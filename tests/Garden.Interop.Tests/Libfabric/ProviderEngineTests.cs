using Garden.Fabric;
using Garden.Interop.Libfabric;
using Garden.Testing;

namespace Garden.Interop.Tests.Libfabric;

public sealed class TcpEngineTests : EngineTests
{
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
