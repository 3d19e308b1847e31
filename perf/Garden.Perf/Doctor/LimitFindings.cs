using System.Globalization;

namespace Garden.Perf.Doctor;

/// <summary>Limits of the process and of the machine.</summary>
internal static class LimitFindings
{
    /// <summary>Registered memory of RDMA devices is pinned; below this not even a KV pool of one model fits.</summary>
    private const long LeastLockedBytes = 1L << 30;

    /// <summary>A connected tcp peer takes about one descriptor, an endpoint about ten; see docs/fabrics.md.</summary>
    private const long LeastDescriptors = 4096;

    private const long LeastSharedBytes = 256L << 20;

    public static IEnumerable<Finding> All()
    {
        long locked = Limit("Max locked memory"), files = Limit("Max open files");
        yield return new Finding("limits", "locked memory", Bytes(locked)).Unless(
            locked >= LeastLockedBytes,
            "verbs and efa, which pin what is registered (tcp and shm do not)",
            "ulimit -l unlimited   # or 'memlock unlimited' in /etc/security/limits.conf; LimitMEMLOCK=infinity in a unit; --ulimit memlock=-1 for a container");
        yield return new Finding("limits", "open files", files == long.MaxValue ? "unlimited" : files.ToString(CultureInfo.InvariantCulture)).Unless(
            files >= LeastDescriptors, "tcp with hundreds of peers", "ulimit -n 65536");
        long shared = Directory.Exists("/dev/shm") ? new DriveInfo("/dev/shm").AvailableFreeSpace : 0;
        yield return new Finding("limits", "/dev/shm", $"{Bytes(shared)} free").Unless(
            shared >= LeastSharedBytes, "shm", "mount -o remount,size=1G /dev/shm   # for a container: --shm-size 1g", "shm");
        string[] left = LeftBehind();
        yield return new Finding("shm", "memory of processes that were killed", $"{left.Length} files").Unless(
            left.Length == 0, "room in /dev/shm", $"rm {string.Join(' ', left)}");
        long pages = File.ReadLines("/proc/meminfo").Where(static line => line.StartsWith("HugePages_Free:", StringComparison.Ordinal)).Select(Number).FirstOrDefault();
        yield return new Finding("limits", "free huge pages", pages.ToString(CultureInfo.InvariantCulture)).Unless(
            pages > 0, "nothing, but large pools register faster on huge pages", "sysctl -w vm.nr_hugepages=1024");
        yield return new Finding("limits", "processors", Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>libfabric's shm names its files after the process, which cannot remove them when it is killed.</summary>
    private static string[] LeftBehind() => !Directory.Exists("/dev/shm") ? [] :
    [
        .. Directory.GetFiles("/dev/shm").Where(static file =>
            Path.GetFileName(file).Split(':') is [var process, _, _] && int.TryParse(process, CultureInfo.InvariantCulture, out int id) && !Directory.Exists($"/proc/{id}")),
    ];

    private static string Bytes(long bytes) => bytes == long.MaxValue ? "unlimited" : bytes >= 1 << 30 ? $"{bytes / (double)(1 << 30):0.#} GiB" : $"{bytes / 1024} KiB";

    /// <summary>A soft limit of /proc/self/limits.</summary>
    private static long Limit(string name)
    {
        string? line = File.ReadLines("/proc/self/limits").FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal));
        return line is null || line.AsSpan(name.Length).TrimStart().StartsWith("unlimited") ? long.MaxValue : Number(line[name.Length..]);
    }

    private static long Number(string text) =>
        long.Parse(text.Split(' ', StringSplitOptions.RemoveEmptyEntries).First(static word => char.IsAsciiDigit(word[0])), CultureInfo.InvariantCulture);
}
