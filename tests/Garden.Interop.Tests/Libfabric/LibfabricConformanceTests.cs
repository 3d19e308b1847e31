using Garden.Testing;

namespace Garden.Interop.Tests.Libfabric;

public sealed class TcpConformanceTests : FabricConformance
{
    protected override FabricHarness CreateHarness() => new TcpHarness();
}

public sealed class TinyQueueTcpConformanceTests : FabricConformance
{
    protected override FabricHarness CreateHarness() => new TcpHarness(queueDepth: 16);
}

public sealed class FourNicTcpConformanceTests : FabricConformance
{
    protected override int Nics => 4;

    protected override FabricHarness CreateHarness() => new TcpHarness();
}

public sealed class ShmConformanceTests : FabricConformance
{
    protected override FabricHarness CreateHarness() => new ShmHarness();
}
