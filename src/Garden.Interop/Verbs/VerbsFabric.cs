using Garden.Fabric;

namespace Garden.Interop.Verbs;

/// <summary>The fabric <c>verbs</c>: reliable connections on any device of libibverbs (InfiniBand, RoCE, soft-RoCE).</summary>
public sealed class VerbsFabric : IFabric
{
    /// <summary>The fabric's name.</summary>
    public const string FabricName = "verbs";

    private readonly VerbsOptions _options;

    /// <summary>A fabric on the given ports.</summary>
    /// <exception cref="FabricException">An option is out of range; the message names it.</exception>
    public VerbsFabric(VerbsOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options;
    }

    /// <inheritdoc/>
    public string Name => FabricName;

    /// <inheritdoc/>
    public IReadOnlyList<IFabricDomain> Open(FabricOpenContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        VerbsLibrary.Require();
        IReadOnlyList<DeviceName> places = _options.Devices.Count == 0 ? VerbsDevices.Active() : [.. _options.Devices.Select(DeviceName.Parse)];
        return DomainOpening.OpenAll(places, place => new VerbsDomain(place, _options, context.Signal));
    }
}
