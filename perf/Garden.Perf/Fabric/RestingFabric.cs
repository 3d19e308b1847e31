using Garden.Fabric;

namespace Garden.Perf.Fabric;

/// <summary>A fabric whose NIC is remembered, so that the loop that drives its engine can wait for it.</summary>
internal sealed class RestingFabric(IFabric inner) : IFabric
{
    public string Name => inner.Name;

    public IFabricDomain Nic { get; private set; } = null!;

    public IReadOnlyList<IFabricDomain> Open(FabricOpenContext context)
    {
        IReadOnlyList<IFabricDomain> domains = inner.Open(context);
        Nic = domains[0];
        return domains;
    }
}
