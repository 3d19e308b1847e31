using System.Globalization;
using Garden.Interop.Topology;

namespace Garden.Interop.Tests.Topology;

/// <summary>
/// A host's sysfs tree, laid out in a temporary directory from a listing in Hosts/. Its lines:
/// <code>
/// node NUMBER CPUS DISTANCES            a NUMA node; DISTANCES like 10,21, CPUS - for a node of memory alone
/// cpus CPUS STRIDE                      CPUs on line; those with the same remainder by STRIDE share a core
/// pci PATH CLASS VENDOR:DEVICE NODE     a function, its path below /sys/devices; NODE as in numa_node
/// physfn ADDRESS ADDRESS                a virtual function and its physical one
/// net NAME PLACE                        an interface; PLACE is an address, with what lies between, or "virtual"
/// rdma NAME PLACE NUMBER:STATE:RATE:LAYER… [over=INTERFACE]
/// </code>
/// </summary>
internal sealed class HostListing : IDisposable
{
    private readonly Dictionary<string, string> _paths = [];

    private HostListing() => Root = Directory.CreateTempSubdirectory("garden-sysfs-").FullName;

    public string Root { get; }

    public static HostTopology Read(string name, IReadOnlyCollection<int>? allowedCpus = null, params string[] more)
    {
        using var tree = new HostListing();
        foreach (string line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Topology", "Hosts", name)).Concat(more))
            tree.Add(line);
        return HostTopology.Read(tree.Root, allowedCpus ?? [.. Enumerable.Range(0, 1024)]);
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);

    private void Add(string line)
    {
        switch (line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            case [] or ["#", ..]:
                break;
            case ["node", var number, var cpus, var distances]:
                Write($"devices/system/node/node{number}/cpulist", cpus == "-" ? "" : cpus);
                Write($"devices/system/node/node{number}/distance", distances.Replace(',', ' '));
                break;
            case ["cpus", var cpus, var stride]:
                AddCpus(cpus, int.Parse(stride, CultureInfo.InvariantCulture));
                break;
            case ["pci", var path, var kind, var identity, var node]:
                AddFunction(path, kind, identity.Split(':'), node);
                break;
            case ["physfn", var address, var physical]:
                Link($"devices/{_paths[address]}/physfn", $"devices/{_paths[physical]}");
                break;
            case ["net", var name, var place]:
                Directory.CreateDirectory(Full($"{Place(place)}/net/{name}"));
                Link($"class/net/{name}", $"{Place(place)}/net/{name}");
                break;
            case ["rdma", var name, var place, .. var rest]:
                AddRdma(name, $"{Place(place)}/infiniband/{name}", rest);
                break;
            default:
                throw new FormatException($"Not a line of a host listing: {line}");
        }
    }

    private void AddCpus(string list, int stride)
    {
        int[] cpus = CpuList.Parse(list);
        Write("devices/system/cpu/online", list);
        foreach (int cpu in cpus)
            Write($"devices/system/cpu/cpu{cpu}/topology/thread_siblings_list", CpuList.Format([.. cpus.Where(other => other % stride == cpu % stride)]));
    }

    private void AddFunction(string path, string kind, string[] identity, string node)
    {
        string address = Path.GetFileName(path);
        _paths[address] = path;
        Write($"devices/{path}/class", kind);
        Write($"devices/{path}/vendor", $"0x{identity[0]}");
        Write($"devices/{path}/device", $"0x{identity[1]}");
        Write($"devices/{path}/numa_node", node);
        Link($"bus/pci/devices/{address}", $"devices/{path}");
    }

    private void AddRdma(string name, string path, string[] rest)
    {
        foreach (string part in rest)
        {
            if (part.Split('=') is ["over", var over])
            {
                Write($"{path}/parent", over);
                continue;
            }

            string[] port = part.Split(':');
            Write($"{path}/ports/{port[0]}/state", port[1] == "ACTIVE" ? "4: ACTIVE" : port[1] == "DOWN" ? "1: DOWN" : $"2: {port[1]}");
            Write($"{path}/ports/{port[0]}/rate", $"{port[2]} Gb/sec (4X)");
            Write($"{path}/ports/{port[0]}/link_layer", port[3]);
        }

        Link($"class/infiniband/{name}", path);
    }

    private string Place(string place)
    {
        string[] parts = place.Split('/', 2);
        return parts[0] == "virtual" ? "devices/virtual" : $"devices/{_paths[parts[0]]}{(parts.Length == 2 ? $"/{parts[1]}" : "")}";
    }

    private string Full(string path) => Path.Combine(Root, path);

    private void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Full(path))!);
        File.WriteAllText(Full(path), text + "\n");
    }

    /// <summary>Relative, as sysfs has them. A later line about the same device changes its attributes, not its place.</summary>
    private void Link(string path, string target)
    {
        if (Directory.Exists(Full(path)))
            return;
        string directory = Path.GetDirectoryName(Full(path))!;
        Directory.CreateDirectory(directory);
        Directory.CreateSymbolicLink(Full(path), Path.GetRelativePath(directory, Full(target)));
    }
}
