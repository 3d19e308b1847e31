namespace Garden.Interop.Topology;

/// <summary>The way from a host bridge down to a PCI function, as the path of its directory below <c>/sys/devices</c> tells it.</summary>
/// <param name="Path">The function's directory.</param>
/// <param name="Root">The host bridge, <c>pci0000:15</c>.</param>
/// <param name="Bridges">Root port, then the ports of every switch on the way.</param>
/// <param name="Address">The function itself.</param>
internal sealed record PciLocation(string Path, string Root, IReadOnlyList<PciAddress> Bridges, PciAddress Address)
{
    /// <summary>
    /// Reads a path like <c>pci0000:15/0000:15:01.0/0000:16:00.0/infiniband/mlx5_0</c>: what stands behind the function belongs to it. Null for a
    /// device that is not on PCI.
    /// </summary>
    public static PciLocation? Of(string devicePath)
    {
        string[] parts = devicePath.Split('/');
        int root = Array.FindIndex(parts, static part => part.StartsWith("pci", StringComparison.Ordinal) && part.Contains(':', StringComparison.Ordinal));
        if (root < 0)
            return null;
        var functions = new List<PciAddress>();
        // A volume management device has a bridge "pci10000:00" of its own in the middle of the way.
        int end = root;
        for (int i = root + 1; i < parts.Length; i++)
        {
            if (!PciAddress.TryParse(parts[i], out PciAddress address))
                continue;
            functions.Add(address);
            end = i;
        }

        return functions.Count == 0 ? null : new PciLocation(string.Join('/', parts[..(end + 1)]), parts[root], functions[..^1], functions[^1]);
    }

    /// <summary>How many bridges the ways to both have in common; 0 also where not even the host bridge is the same.</summary>
    public int SharedBridges(PciLocation other)
    {
        if (Root != other.Root)
            return 0;
        int shared = 0;
        while (shared < Math.Min(Bridges.Count, other.Bridges.Count) && Bridges[shared] == other.Bridges[shared])
            shared++;
        return shared;
    }
}
