namespace Garden.Interop.Topology;

/// <summary>Chooses CPUs for workers, one a core.</summary>
internal sealed class WorkerCpuChoice(IReadOnlyList<NumaNode> nodes, IReadOnlyDictionary<int, int[]> cores, IReadOnlyCollection<int> allowed)
{
    private readonly HashSet<int> _allowed = [.. allowed];

    /// <summary>What the kernel says of this process, which a container's or a scheduler's CPU set narrows.</summary>
    public static int[] AllowedHere()
    {
        const string Field = "Cpus_allowed_list:";
        string? line = File.ReadLines("/proc/self/status").FirstOrDefault(static line => line.StartsWith(Field, StringComparison.Ordinal));
        return line is null ? [.. Enumerable.Range(0, Environment.ProcessorCount)] : CpuList.Parse(line[Field.Length..]);
    }

    public IReadOnlyDictionary<int, int> Choose(IReadOnlyList<int> deviceNodes)
    {
        var chosen = new Dictionary<int, int>();
        var taken = new HashSet<int>();
        for (int device = 0; device < deviceNodes.Count; device++)
        {
            int[] free = [.. Local(deviceNodes[device]).Where(cpu => !taken.Contains(cpu))];
            if (free.Length == 0)
                continue;
            chosen[device] = free[0];
            taken.UnionWith(Core(free[0]));
        }

        return chosen;
    }

    /// <summary>The first allowed CPU of every core of a node, the node's first core last.</summary>
    private IEnumerable<int> Local(int node)
    {
        int[] cpus = [.. CpusOf(node).Where(_allowed.Contains).Where(cpu => Core(cpu).First(_allowed.Contains) == cpu)];
        int first = CpusOf(node).FirstOrDefault(-1);
        return cpus.OrderBy(cpu => Core(cpu).Contains(first));
    }

    /// <summary>A node of memory alone has none: then the CPUs of the node with the least distance. Where nothing is known, all.</summary>
    private IReadOnlyList<int> CpusOf(int number)
    {
        NumaNode? node = nodes.FirstOrDefault(node => node.Number == number);
        if (node is { Cpus.Count: 0 } && node.Distances.Count == nodes.Count)
            node = nodes.Zip(node.Distances).Where(static pair => pair.First.Cpus.Count != 0).OrderBy(static pair => pair.Second).FirstOrDefault().First;
        return node is { Cpus.Count: > 0 } ? node.Cpus : [.. cores.Keys.Order()];
    }

    private int[] Core(int cpu) => cores.TryGetValue(cpu, out int[]? core) ? core : [cpu];
}
