namespace Garden.Interop.Topology;

/// <summary>A port of an RDMA device.</summary>
/// <param name="Number">1 and up.</param>
/// <param name="State">As the kernel prints it: ACTIVE, DOWN, INIT, ARMED.</param>
/// <param name="Gigabits">Its rate in Gb/s, 0 where the host does not say.</param>
/// <param name="LinkLayer">InfiniBand, Ethernet, or what the kernel says for others (EFA: Unknown or Unspecified).</param>
public sealed record RdmaPort(int Number, string State, double Gigabits, string LinkLayer)
{
    /// <summary>Whether it carries traffic.</summary>
    public bool IsActive => State == "ACTIVE";
}
