using Garden.Fabric;
using Garden.Fabric.Loopback;
using Garden.Testing;

namespace Garden.Core.Tests.Loopback;

public sealed class LoopbackConformanceTests : FabricConformance
{
    protected override FabricHarness CreateHarness() => new LoopbackHarness();
}

public sealed class ReorderedLoopbackConformanceTests : FabricConformance
{
    protected override FabricHarness CreateHarness() =>
        new LoopbackHarness(new LoopbackOptions { Name = "template", ReorderSeed = 12345 }, roundTrips: 2_000);
}

public sealed class TinyQueueLoopbackConformanceTests : FabricConformance
{
    protected override FabricHarness CreateHarness() =>
        new LoopbackHarness(new LoopbackOptions { Name = "template", QueueDepth = 2, ReceiveQueueDepth = 3, MaxMessageLength = 64 });
}

public sealed class LocalOnlyLoopbackConformanceTests : FabricConformance
{
    protected override FabricHarness CreateHarness() =>
        new LoopbackHarness(new LoopbackOptions { Name = "template", Completion = FabricCompletionLevel.LocalOnly });
}

public sealed class PacedLoopbackConformanceTests : FabricConformance
{
    protected override FabricHarness CreateHarness() => new LoopbackHarness(
        new LoopbackOptions { Name = "template", Delay = TimeSpan.FromMicroseconds(20), BandwidthBytesPerSecond = 2e9 }, roundTrips: 500);
}
