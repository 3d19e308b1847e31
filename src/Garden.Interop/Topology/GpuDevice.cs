namespace Garden.Interop.Topology;

/// <summary>An NVIDIA GPU.</summary>
public sealed class GpuDevice
{
    internal GpuDevice(PciLocation location, int node)
    {
        Location = location;
        Node = node;
    }

    /// <summary>Its PCI address, by which CUDA's devices are matched: their order may be another.</summary>
    public PciAddress Address => Location.Address;

    /// <summary>Number of its NUMA node, -1 where the host does not say.</summary>
    public int Node { get; }

    internal PciLocation Location { get; }

    /// <inheritdoc/>
    public override string ToString() => $"GPU {Address}";
}
