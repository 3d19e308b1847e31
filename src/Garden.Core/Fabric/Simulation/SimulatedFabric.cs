using Garden.Fabric.Loopback;

namespace Garden.Fabric.Simulation;

/// <summary>An engine's end of a <see cref="SimulatedWire"/>: the provider contract in virtual time.</summary>
public sealed class SimulatedFabric : IFabric
{
    /// <summary>The fabric's name.</summary>
    public const string FabricName = "simulated";

    private readonly SimulatedWire _wire;
    private readonly SimulatedNicOptions _nic;
    private readonly LoopbackFabric _inner;

    /// <summary>An engine's place on a wire.</summary>
    /// <param name="wire">The wire.</param>
    /// <param name="name">The engine's name, unique on the wire; NIC i of device 0 has the address <c>name/i</c>.</param>
    /// <param name="nic">How its NICs behave; the defaults when null.</param>
    /// <param name="nics">NICs per device, 1 to 8.</param>
    /// <param name="queueDepth">How many writes, and how many messages, a NIC takes before they are completed.</param>
    /// <exception cref="FabricException">An option is out of range; the message names it.</exception>
    public SimulatedFabric(SimulatedWire wire, string name, SimulatedNicOptions? nic = null, int nics = 1, int queueDepth = 1024)
    {
        ArgumentNullException.ThrowIfNull(wire);
        _wire = wire;
        _nic = nic ?? new SimulatedNicOptions();
        _nic.Validate();
        _inner = new LoopbackFabric(wire.Faults, new LoopbackOptions
        {
            Name = name,
            Nics = nics,
            QueueDepth = queueDepth,
            LinkGigabitsPerSecond = _nic.BytesPerSecond * 8 / 1e9,
        });
    }

    /// <inheritdoc/>
    public string Name => FabricName;

    /// <inheritdoc/>
    public IReadOnlyList<IFabricDomain> Open(FabricOpenContext context) =>
        [.. _inner.Open(context).Select(inner => (IFabricDomain)new SimulatedDomain(_wire, inner, _wire.AddNic(inner.Address, _nic)))];
}
