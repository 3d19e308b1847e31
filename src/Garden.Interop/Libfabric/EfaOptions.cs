namespace Garden.Interop.Libfabric;

/// <summary>How a device uses AWS EFA: one NIC an adapter.</summary>
public sealed record EfaOptions : LibfabricTuning
{
    /// <summary>
    /// Names of the adapters' domains in lane order, as <c>fi_info -p efa -t FI_EP_RDM</c> prints them (<c>rdmap16s27-rdm</c>), 1 … 8. There
    /// is no default: which adapters belong to a GPU is topology, and the wrong ones halve the bandwidth.
    /// </summary>
    public required IReadOnlyList<string> Domains { get; init; }

    internal new void Validate()
    {
        base.Validate();
        if (Domains is null || Domains.Count is 0 or > NetAddress.MaxNics)
            throw new FabricException($"EfaOptions.Domains names 1 to {NetAddress.MaxNics} adapters, one a NIC; got {Domains?.Count ?? 0}. `fi_info -p efa -t FI_EP_RDM` lists them.");
    }
}
