namespace Garden.Fabric;

/// <summary>A fabric an engine can use: a factory of domains, one a NIC.</summary>
public interface IFabric
{
    /// <summary>The fabric's name as it stands in a <see cref="NetAddress"/>: lower-case letters and digits.</summary>
    string Name { get; }

    /// <summary>Opens the NICs of one device, 1 … 8 of them.</summary>
    /// <exception cref="FabricException">The fabric is not there; the message lists what is and how to install it.</exception>
    IReadOnlyList<IFabricDomain> Open(FabricOpenContext context);
}
