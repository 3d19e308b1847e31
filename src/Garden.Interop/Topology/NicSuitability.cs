using System.Globalization;

namespace Garden.Interop.Topology;

/// <summary>Says of each NIC why it should not carry bulk data.</summary>
internal static class NicSuitability
{
    /// <summary>
    /// Slower than the fastest by more than this factor is a management or storage link of its own kind: as one of several lanes it would
    /// hold the others back.
    /// </summary>
    private const double MostTimesSlower = 2;

    public static void Judge(IReadOnlyList<NicDevice> nics)
    {
        HashSet<PciAddress> physical = [.. nics.Where(static nic => nic.Ports.Count != 0 && nic.PhysicalFunction is null).Select(static nic => nic.Address).OfType<PciAddress>()];
        foreach (NicDevice nic in nics)
            nic.Unsuitable = Reason(nic, physical);
        NicDevice[] suitable = [.. nics.Where(static nic => nic.Unsuitable is null)];
        bool hardware = suitable.Any(static nic => !nic.IsSoftware);
        // Of those that may be left; a rate of 0 is one that the host does not say.
        double fastest = suitable.Where(nic => nic.IsSoftware != hardware).Select(static nic => nic.Gigabits).DefaultIfEmpty().Max();
        foreach (NicDevice nic in suitable)
        {
            nic.Unsuitable = nic.IsSoftware && hardware ? "software, and there are devices"
                : nic.Gigabits != 0 && nic.Gigabits * MostTimesSlower < fastest ? string.Create(CultureInfo.InvariantCulture, $"{nic.Gigabits} Gb/s where the fastest has {fastest}")
                : null;
        }
    }

    private static string? Reason(NicDevice nic, HashSet<PciAddress> physical)
    {
        if (nic.Ports.Count == 0)
            return "no RDMA device: another kind of adapter, or its RDMA driver is not loaded";
        // Where the physical function is not this host's to use, as in a container with one virtual function, the virtual one is the NIC.
        if (nic.PhysicalFunction is { } function && physical.Contains(function))
            return $"shares the wire of {function}";
        return nic.Ports.Any(static port => port.IsActive) ? null : string.Join(", ", nic.Ports.Select(static port => $"port {port.Number} is {port.State}"));
    }
}
