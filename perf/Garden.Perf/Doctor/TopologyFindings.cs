using Garden.Interop.Topology;

namespace Garden.Perf.Doctor;

/// <summary>Which GPUs, NICs and CPUs are near each other, and why a NIC is not offered.</summary>
internal static class TopologyFindings
{
    private const string Area = "topology";

    public static IEnumerable<Finding> All()
    {
        HostTopology host;
        try
        {
            host = HostTopology.Read();
        }
        catch (DirectoryNotFoundException exception)
        {
            return [new Finding(Area, "sysfs", exception.Message)];
        }

        return Of(host);
    }

    private static IEnumerable<Finding> Of(HostTopology host)
    {
        foreach (NumaNode node in host.Nodes)
            yield return new Finding(Area, $"node {node.Number}", $"{node.Cpus.Count} CPUs ({Ranges(node.Cpus)}), NICs {List(host.NicsOfNode(node.Number).Select(static nic => nic.Name))}");
        IReadOnlyDictionary<int, int> cpus = host.ChooseWorkerCpus([.. host.Gpus.Select(static gpu => gpu.Node)]);
        for (int i = 0; i < host.Gpus.Count; i++)
        {
            GpuDevice gpu = host.Gpus[i];
            IEnumerable<string> nics = host.NicsOf(gpu).Select(nic => $"{nic.Name} ({Describe(host.ProximityOf(gpu, nic))}, {nic.Gigabits:0.#} Gb/s)");
            yield return new Finding(Area, gpu.ToString(), $"node {Number(gpu.Node)}, NICs {List(nics)}, worker on {(cpus.TryGetValue(i, out int cpu) ? $"CPU {cpu}" : "any CPU")}");
        }

        foreach (NicDevice nic in host.Nics)
            yield return new Finding(Area, $"NIC {nic}", $"node {Number(nic.Node)}, {(nic.Unsuitable is null ? $"{nic.Gigabits:0.#} Gb/s" : $"not used: {nic.Unsuitable}")}");
    }

    private static string Describe(Proximity proximity) => proximity switch
    {
        Proximity.Switch => "same switch",
        Proximity.HostBridge => "same host bridge",
        Proximity.Node => "same node",
        Proximity.Distant => "another node",
        _ => "distance unknown",
    };

    private static string Number(int node) => node < 0 ? "unknown" : $"{node}";

    private static string List(IEnumerable<string> names) => string.Join(", ", names) is { Length: > 0 } list ? list : "none";

    private static string Ranges(IReadOnlyList<int> cpus) => cpus.Count == 0 ? "none" : CpuList.Format(cpus);
}
