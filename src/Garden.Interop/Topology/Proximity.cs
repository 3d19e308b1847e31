namespace Garden.Interop.Topology;

/// <summary>What the way between two devices crosses, nearest first.</summary>
public enum Proximity
{
    /// <summary>A PCI switch below one root port: no processor is on the way.</summary>
    Switch,

    /// <summary>One host bridge of a processor.</summary>
    HostBridge,

    /// <summary>Several host bridges of one NUMA node.</summary>
    Node,

    /// <summary>The host does not say which node one of them belongs to.</summary>
    Unknown,

    /// <summary>The link between NUMA nodes.</summary>
    Distant,
}
