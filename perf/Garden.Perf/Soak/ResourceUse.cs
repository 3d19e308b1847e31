using System.Diagnostics;

namespace Garden.Perf.Soak;

/// <summary>What a process holds.</summary>
/// <param name="ManagedBytes">Live managed memory, after a full collection.</param>
/// <param name="ResidentBytes">Memory in use.</param>
/// <param name="Descriptors">Open file descriptors.</param>
/// <param name="Threads">Threads.</param>
internal readonly record struct ResourceUse(long ManagedBytes, long ResidentBytes, int Descriptors, int Threads)
{
    private const long MostManagedGrowth = 8 << 20, MostResidentGrowth = 64 << 20;
    private const int MostDescriptorGrowth = 8, MostThreadGrowth = 16;

    public static ResourceUse Now()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        using var process = Process.GetCurrentProcess();
        return new ResourceUse(GC.GetTotalMemory(forceFullCollection: true), process.WorkingSet64, Directory.GetFiles("/proc/self/fd").Length, process.Threads.Count);
    }

    /// <summary>What has grown more than traffic explains, null when nothing has.</summary>
    public string? GrowthTo(ResourceUse later)
    {
        if (later.ManagedBytes - ManagedBytes > MostManagedGrowth)
            return $"managed memory grew from {ManagedBytes} to {later.ManagedBytes} bytes";
        if (later.ResidentBytes - ResidentBytes > MostResidentGrowth)
            return $"resident memory grew from {ResidentBytes} to {later.ResidentBytes} bytes";
        if (later.Descriptors - Descriptors > MostDescriptorGrowth)
            return $"file descriptors grew from {Descriptors} to {later.Descriptors}";
        return later.Threads - Threads > MostThreadGrowth ? $"threads grew from {Threads} to {later.Threads}" : null;
    }
}
