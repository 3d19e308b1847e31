using Garden.Fabric;
using Garden.Fabric.Simulation;
using Garden.Testing;

namespace Garden.Core.Tests.Simulation;

public sealed class SimulatedConformanceTests : FabricConformance
{
    protected override FabricHarness CreateHarness() => new SimulatedHarness(new SimulatedNicOptions());
}

public sealed class UnorderedSimulatedConformanceTests : FabricConformance
{
    protected override FabricHarness CreateHarness() => new SimulatedHarness(new SimulatedNicOptions { Jitter = TimeSpan.FromMicroseconds(50) });
}

public sealed class FourNicSimulatedConformanceTests : FabricConformance
{
    protected override int Nics => 4;

    protected override FabricHarness CreateHarness() => new SimulatedHarness(new SimulatedNicOptions { BytesPerSecond = 1e9 });
}

/// <summary>Engines of a simulated wire.</summary>
internal sealed class SimulatedHarness(SimulatedNicOptions nic) : FabricHarness
{
    public SimulatedWire Wire { get; } = new(seed: 7);

    public override string AbsentAddress => "nobody/0";

    public override int RoundTrips => 2_000;

    public override bool TryFailNic(FabricEndpoint endpoint)
    {
        Wire.Faults.FailNic(endpoint.Domain.Address);
        return true;
    }

    protected override IFabric Create(string name, int nics) => new SimulatedFabric(Wire, name, nic, nics);
}
