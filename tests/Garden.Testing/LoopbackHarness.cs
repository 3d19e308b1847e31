using Garden.Fabric;
using Garden.Fabric.Loopback;

namespace Garden.Testing;

/// <summary>A loopback network whose engines share a template of options.</summary>
public sealed class LoopbackHarness(LoopbackOptions? template = null, int roundTrips = 20_000) : FabricHarness
{
    private readonly LoopbackOptions _template = template ?? new LoopbackOptions { Name = "template" };

    /// <summary>The wire, with its faults.</summary>
    public LoopbackNetwork Network { get; } = new();

    /// <inheritdoc/>
    public override string AbsentAddress => "nobody/0";

    /// <inheritdoc/>
    public override int RoundTrips => roundTrips;

    /// <inheritdoc/>
    public override bool TryFailNic(FabricEndpoint endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        Network.FailNic(endpoint.Domain.Address);
        return true;
    }

    /// <inheritdoc/>
    protected override IFabric Create(string name, int nics) =>
        new LoopbackFabric(Network, _template with { Name = name, Nics = nics });
}
