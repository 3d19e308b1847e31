using System.Runtime.InteropServices;

namespace Garden;

/// <summary>Pins the calling thread to a CPU, on Linux.</summary>
internal static unsafe partial class ThreadAffinity
{
    private const int MaxCpus = 1024;

    public static void Require(int cpu)
    {
        if (!OperatingSystem.IsLinux())
            throw new PlatformNotSupportedException("Pinning a worker to a CPU works on Linux only; leave TransferEngineOptions.WorkerCpus empty here.");
        if (cpu is < 0 or >= MaxCpus)
            throw new ArgumentOutOfRangeException(nameof(cpu), cpu, $"A CPU number is 0 … {MaxCpus - 1}.");
    }

    public static void Pin(int cpu)
    {
        Require(cpu);
        ulong* mask = stackalloc ulong[MaxCpus / 64];
        new Span<ulong>(mask, MaxCpus / 64).Clear();
        mask[cpu / 64] = 1UL << (cpu % 64);
        // Safe: the mask has MaxCpus bits and the call is told so; 0 is the calling thread.
        if (sched_setaffinity(0, MaxCpus / 8, mask) != 0)
            throw new InvalidOperationException($"The worker could not be pinned to CPU {cpu} (errno {Marshal.GetLastPInvokeError()}); this process may use only some CPUs, see taskset -p.");
    }

    [LibraryImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int sched_setaffinity(int thread, nuint size, ulong* mask);
}
