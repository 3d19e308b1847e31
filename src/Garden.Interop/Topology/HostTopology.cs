namespace Garden.Interop.Topology;

/// <summary>
/// Which GPUs, NICs and CPUs of this host are near each other, as sysfs tells it. A snapshot: read it again after a link went up or down.
/// A container sees the host's tree; which of it the container may use is another matter.
/// </summary>
public sealed class HostTopology
{
    private readonly NicAssignment _assignment;
    private readonly WorkerCpuChoice _cpus;

    private HostTopology(IReadOnlyList<NumaNode> nodes, IReadOnlyList<GpuDevice> gpus, IReadOnlyList<NicDevice> nics, WorkerCpuChoice cpus)
    {
        Nodes = nodes;
        Gpus = gpus;
        Nics = nics;
        _cpus = cpus;
        _assignment = new NicAssignment(gpus, nics);
    }

    /// <summary>NUMA nodes in ascending order.</summary>
    public IReadOnlyList<NumaNode> Nodes { get; }

    /// <summary>NVIDIA GPUs in the order of their PCI addresses.</summary>
    public IReadOnlyList<GpuDevice> Gpus { get; }

    /// <summary>RDMA devices in the order of their PCI addresses, then adapters on PCI that have no RDMA device.</summary>
    public IReadOnlyList<NicDevice> Nics { get; }

    /// <summary>Reads a sysfs tree.</summary>
    /// <param name="sysfs">Where it is mounted.</param>
    /// <param name="allowedCpus">CPUs this process may run on; null for what the kernel says of it.</param>
    /// <exception cref="DirectoryNotFoundException">There is no <c>devices</c> directory in it.</exception>
    public static HostTopology Read(string sysfs = "/sys", IReadOnlyCollection<int>? allowedCpus = null)
    {
        ArgumentNullException.ThrowIfNull(sysfs);
        if (!Directory.Exists(Path.Combine(sysfs, "devices")))
            throw new DirectoryNotFoundException($"{sysfs} is no sysfs tree: it has no directory \"devices\". In a container mount it: -v /sys:/sys:ro");
        var files = new Sysfs(Path.GetFullPath(sysfs));
        var reader = new HostReader(files);
        IReadOnlyList<NumaNode> nodes = reader.ReadNodes();
        IReadOnlyList<NicDevice> nics = reader.ReadNics(nodes);
        NicSuitability.Judge(nics);
        var cpus = new WorkerCpuChoice(nodes, reader.ReadCores(), allowedCpus ?? WorkerCpuChoice.AllowedHere());
        return new HostTopology(nodes, reader.ReadGpus(nodes), nics, cpus);
    }

    /// <summary>The GPU at an address; null where there is none. CUDA prints addresses with <c>cuDeviceGetPCIBusId</c>.</summary>
    public GpuDevice? FindGpu(PciAddress address) => Gpus.FirstOrDefault(gpu => gpu.Address == address);

    /// <summary>What the way between a GPU and a NIC crosses.</summary>
    public Proximity ProximityOf(GpuDevice gpu, NicDevice nic)
    {
        ArgumentNullException.ThrowIfNull(gpu);
        ArgumentNullException.ThrowIfNull(nic);
        return NicAssignment.RankOf(gpu, nic).Proximity;
    }

    /// <summary>
    /// The NICs a GPU's traffic should take: of the suitable ones those with the most PCI bridges on a common way, else the same host
    /// bridge, else the same NUMA node, else the rest. A NIC that is nearer to another GPU is taken only where there is no other, and GPUs for
    /// which the same NICs are nearest share them out, so that all GPUs together use each once. Empty where no NIC is suitable.
    /// </summary>
    /// <exception cref="ArgumentException">The GPU is of another snapshot.</exception>
    public IReadOnlyList<NicDevice> NicsOf(GpuDevice gpu)
    {
        ArgumentNullException.ThrowIfNull(gpu);
        return _assignment.Of(gpu);
    }

    /// <summary>The suitable NICs of a NUMA node, for memory of the host; those of unknown node belong to every one.</summary>
    public IReadOnlyList<NicDevice> NicsOfNode(int node) => [.. Nics.Where(nic => nic.Unsuitable is null && (nic.Node == node || nic.Node == -1))];

    /// <summary>
    /// A CPU for each device's worker, as <see cref="TransferEngineOptions.WorkerCpus"/> takes it: of the device's node, of those this process may
    /// run on, one a core, and not on the first core of the node while another is free (interrupts and housekeeping go there).
    /// Where a node has no core left the device is left out, so that its worker is not pinned: two workers on one core are worse.
    /// </summary>
    /// <remarks>
    /// Only what is passed here is kept apart. Where each rank is a process of its own and they have no CPU sets, each passes the nodes of all the
    /// host's ranks in the same order and takes the entry of its own: with its own node alone all ranks of a node would get one CPU.
    /// </remarks>
    /// <param name="nodes">The node of device 0, 1, …: its NICs' or its GPU's; -1 for any.</param>
    public IReadOnlyDictionary<int, int> ChooseWorkerCpus(IReadOnlyList<int> nodes)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        return _cpus.Choose(nodes);
    }
}
