using System.Globalization;

namespace Garden.Interop.Topology;

/// <summary>Finds nodes, GPUs and NICs in a sysfs tree.</summary>
internal sealed class HostReader(Sysfs sysfs)
{
    /// <summary>PCI's vendor number of NVIDIA, and its base class of display controllers: switches and audio functions have others.</summary>
    private const uint Nvidia = 0x10de, DisplayClass = 0x03;

    private const string Infiniband = "class/infiniband", Net = "class/net", Nodes = "devices/system/node";

    public IReadOnlyList<NumaNode> ReadNodes() =>
    [
        .. sysfs.Numbers(Nodes, "node").Select(number => new NumaNode(number, sysfs.Cpus($"{Nodes}/node{number}/cpulist"), Distances(number))),
    ];

    /// <summary>CPUs that share a core, for every CPU that is on line.</summary>
    public IReadOnlyDictionary<int, int[]> ReadCores()
    {
        var cores = new Dictionary<int, int[]>();
        foreach (int cpu in sysfs.Cpus("devices/system/cpu/online"))
        {
            int[] siblings = sysfs.Cpus($"devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
            cores[cpu] = siblings.Length == 0 ? [cpu] : siblings;
        }

        return cores;
    }

    public IReadOnlyList<GpuDevice> ReadGpus(IReadOnlyList<NumaNode> nodes)
    {
        var gpus = new List<GpuDevice>();
        foreach (string name in sysfs.Names("bus/pci/devices"))
        {
            string link = $"bus/pci/devices/{name}";
            // A virtual function is a share of a GPU that another process or guest may have.
            if (sysfs.DevicePath(link) is { } path && PciLocation.Of(path) is { } location
                && sysfs.Hexadecimal($"{link}/vendor") == Nvidia && sysfs.Hexadecimal($"{link}/class") >> 16 == DisplayClass
                && PhysicalFunction(location) is null)
            {
                gpus.Add(new GpuDevice(location, NodeOf(location, nodes)));
            }
        }

        return [.. gpus.OrderBy(static gpu => gpu.Address.Order)];
    }

    /// <summary>RDMA devices, then network adapters on PCI that have none; each in the order of PCI addresses, software devices last.</summary>
    public IReadOnlyList<NicDevice> ReadNics(IReadOnlyList<NumaNode> nodes)
    {
        Dictionary<PciAddress, List<string>> interfaces = [];
        Dictionary<PciAddress, PciLocation> locations = [];
        foreach (string name in sysfs.Names(Net))
        {
            if (sysfs.DevicePath($"{Net}/{name}") is { } path && PciLocation.Of(path) is { } location)
            {
                locations.TryAdd(location.Address, location);
                if (!interfaces.TryAdd(location.Address, [name]))
                    interfaces[location.Address].Add(name);
            }
        }

        var rdma = new List<NicDevice>();
        foreach (string name in sysfs.Names(Infiniband))
        {
            if (sysfs.DevicePath($"{Infiniband}/{name}") is { } path)
                rdma.Add(ReadRdma(name, path, interfaces, nodes));
        }

        HashSet<PciAddress> withRdma = [.. rdma.Select(static nic => nic.Address).OfType<PciAddress>()];
        IEnumerable<NicDevice> others = interfaces.Where(pair => !withRdma.Contains(pair.Key)).Select(pair =>
        {
            PciLocation location = locations[pair.Key];
            return new NicDevice(pair.Value[0], location, NodeOf(location, nodes))
            {
                Interfaces = pair.Value,
                PhysicalFunction = PhysicalFunction(location),
            };
        });
        return [.. InOrder(rdma), .. InOrder(others)];
    }

    private static IEnumerable<NicDevice> InOrder(IEnumerable<NicDevice> nics) =>
        nics.OrderBy(static nic => nic.IsSoftware).ThenBy(static nic => nic.Address?.Order).ThenBy(static nic => nic.Name, StringComparer.Ordinal);

    private NicDevice ReadRdma(string name, string path, Dictionary<PciAddress, List<string>> interfaces, IReadOnlyList<NumaNode> nodes)
    {
        PciLocation? location = PciLocation.Of(path);
        // Soft-RoCE may sit at its interface's adapter and yet is software; only such devices name the interface they are made over.
        string? over = sysfs.Text($"{Infiniband}/{name}/parent");
        bool subfunction = location is not null && path[location.Path.Length..].Contains(".sf.", StringComparison.Ordinal);
        return new NicDevice(name, location, NodeOf(location, nodes))
        {
            IsSoftware = location is null || over is not null,
            Interfaces = over is not null ? [over] : location is not null && interfaces.TryGetValue(location.Address, out List<string>? names) ? names : [],
            Ports = [.. sysfs.Numbers($"{Infiniband}/{name}/ports", "").Select(port => ReadPort($"{Infiniband}/{name}/ports/{port}", port))],
            PhysicalFunction = subfunction ? location!.Address : PhysicalFunction(location),
        };
    }

    private RdmaPort ReadPort(string path, int number)
    {
        // "4: ACTIVE" and "400 Gb/sec (4X NDR)".
        string state = sysfs.Text($"{path}/state") is { } text ? text[(text.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim() : "unknown";
        string? rate = sysfs.Text($"{path}/rate")?.Split(' ')[0];
        return new RdmaPort(
            number, state, double.TryParse(rate, NumberStyles.Float, CultureInfo.InvariantCulture, out double gigabits) ? gigabits : 0, sysfs.Text($"{path}/link_layer") ?? "Unknown");
    }

    /// <summary>The link stands in the function's own directory: relative, it means nothing seen from the bus's.</summary>
    private PciAddress? PhysicalFunction(PciLocation? location) =>
        location is not null && sysfs.DevicePath($"devices/{location.Path}/physfn") is { } path ? PciLocation.Of(path)?.Address : null;

    /// <summary>
    /// The function's own node, else its nearest bridge's, else the only one there is. Firmware and hypervisors often leave it out: -1.
    /// </summary>
    private int NodeOf(PciLocation? location, IReadOnlyList<NumaNode> nodes)
    {
        for (string directory = location?.Path ?? ""; directory.Length != 0; directory = Path.GetDirectoryName(directory) ?? "")
        {
            int node = sysfs.Number($"devices/{directory}/numa_node");
            if (node >= 0)
                return node;
        }

        return nodes.Count == 1 ? nodes[0].Number : -1;
    }

    private int[] Distances(int number)
    {
        string[] words = (sysfs.Text($"{Nodes}/node{number}/distance") ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var distances = new int[words.Length];
        for (int i = 0; i < words.Length; i++)
        {
            if (!int.TryParse(words[i], NumberStyles.None, CultureInfo.InvariantCulture, out distances[i]))
                return [];
        }

        return distances;
    }
}
