namespace Garden.Interop.Topology;

/// <summary>An RDMA device, or a network adapter that has none.</summary>
public sealed class NicDevice
{
    internal NicDevice(string name, PciLocation? location, int node)
    {
        Name = name;
        Location = location;
        Node = node;
    }

    /// <summary>The RDMA device (<c>mlx5_0</c>, <c>rdmap79s0</c>; EFA's libfabric domain is that name with <c>-rdm</c>), else the first interface.</summary>
    public string Name { get; }

    /// <summary>Its PCI address; null for a software device.</summary>
    public PciAddress? Address => Location?.Address;

    /// <summary>Number of its NUMA node, -1 where the host does not say.</summary>
    public int Node { get; }

    /// <summary>Network interfaces of the same PCI function.</summary>
    public IReadOnlyList<string> Interfaces { get; internal init; } = [];

    /// <summary>The RDMA device's ports; none for an adapter that has no RDMA device.</summary>
    public IReadOnlyList<RdmaPort> Ports { get; internal init; } = [];

    /// <summary>True for a device made of software, such as soft-RoCE.</summary>
    public bool IsSoftware { get; internal init; }

    /// <summary>The function this one is a virtual function or a subfunction of, where the host shows it.</summary>
    public PciAddress? PhysicalFunction { get; internal init; }

    /// <summary>Why it is not offered for bulk data; null where it is.</summary>
    public string? Unsuitable { get; internal set; }

    /// <summary>The fastest active port's rate in Gb/s.</summary>
    public double Gigabits => Ports.Where(static port => port.IsActive).Select(static port => port.Gigabits).DefaultIfEmpty().Max();

    internal PciLocation? Location { get; }

    /// <inheritdoc/>
    public override string ToString() => Address is null ? Name : $"{Name} ({Address})";
}
