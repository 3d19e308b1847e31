using System.Globalization;
using Garden;
using Garden.Experts;
using Garden.Kernels.Experts;

namespace ExpertParallel.Processes;

/// <summary>An <see cref="ExpertAddress"/> as a word of a line: what a job's control plane carries. The group is the command line's, the same everywhere.</summary>
internal static class AddressText
{
    public static string Of(ExpertAddress address) =>
        $"{address.Rank};{address.RoutingHash:x16};{address.Engine};{Convert.ToBase64String(address.Window.ToBytes())};{Convert.ToBase64String(address.Combine.ToBytes())}";

    public static ExpertAddress Parse(string text, in ExpertGroup group)
    {
        string[] parts = text.Split(';');
        return new ExpertAddress(
            int.Parse(parts[0], CultureInfo.InvariantCulture),
            ulong.Parse(parts[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture),
            group,
            NetAddress.Parse(parts[2]),
            MemoryRegionDescriptor.Parse(Convert.FromBase64String(parts[3])),
            MemoryRegionDescriptor.Parse(Convert.FromBase64String(parts[4])));
    }
}
