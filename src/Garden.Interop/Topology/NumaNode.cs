namespace Garden.Interop.Topology;

/// <summary>A NUMA node of the host.</summary>
/// <param name="Number">The kernel's number.</param>
/// <param name="Cpus">Its CPUs in ascending order; none for a node that is only memory.</param>
/// <param name="Distances">Distance to every node in the order of <see cref="HostTopology.Nodes"/>, 10 being itself; empty where the host does not say.</param>
public sealed record NumaNode(int Number, IReadOnlyList<int> Cpus, IReadOnlyList<int> Distances);
