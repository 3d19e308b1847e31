namespace Garden.Fabric.Loopback;

/// <summary>
/// The fabric inside one process: needs nothing installed, moves bytes by memcpy, and is the executable specification of
/// <see cref="IFabricDomain"/>. Engines that share a <see cref="LoopbackNetwork"/> reach each other.
/// </summary>
public sealed class LoopbackFabric : IFabric
{
    /// <summary>The fabric's name.</summary>
    public const string FabricName = "loopback";

    private readonly LoopbackNetwork _network;
    private readonly LoopbackOptions _options;

    /// <summary>One engine's place on a network.</summary>
    /// <exception cref="FabricException">An option is out of range; the message names it.</exception>
    public LoopbackFabric(LoopbackNetwork network, LoopbackOptions options)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _network = network;
        _options = options;
    }

    /// <inheritdoc/>
    public string Name => FabricName;

    /// <inheritdoc/>
    public IReadOnlyList<IFabricDomain> Open(FabricOpenContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentOutOfRangeException.ThrowIfNegative(context.Device);
        string device = context.Device == 0 ? _options.Name : $"{_options.Name}.{context.Device}";
        LoopbackPort[] ports = _network.Attach(device, _options, context.Signal);
        return Array.ConvertAll(ports, port => (IFabricDomain)new LoopbackDomain(_network, _options, port));
    }
}
