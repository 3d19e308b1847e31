using System.Globalization;

namespace Garden.Interop.Libfabric;

/// <summary>Whether what is behind a shared-memory address is still there. Its name begins <c>fi_shm://PID:</c>.</summary>
internal static class ProcessWatch
{
    public const int IntervalMilliseconds = 100;
    private const int StartField = 19;
    private const string Prefix = "fi_shm://";

    /// <summary>ESRCH: it ended between the open and the read.</summary>
    private const int NoSuchProcess = 3;

    /// <summary>The process of an address where it is another one and can be seen from here (not across PID namespaces), else null.</summary>
    public static WatchedProcess? OwnerOf(string address)
    {
        int process = ProcessOf(address);
        return process != 0 && process != Environment.ProcessId && StateOf(process) is (true, var start) ? new WatchedProcess(process, start) : null;
    }

    /// <summary>The process an address names, 0 when it names none.</summary>
    public static int ProcessOf(string address)
    {
        int colon = address.StartsWith(Prefix, StringComparison.Ordinal) ? address.IndexOf(':', Prefix.Length) : -1;
        return colon > 0 && int.TryParse(address.AsSpan(Prefix.Length, colon - Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int process)
            ? process
            : 0;
    }

    /// <summary>True while the memory of the endpoint has its name. An endpoint makes it before it has an address to tell.</summary>
    public static bool HasMemory(string address)
    {
        int end = address.IndexOf('#');
        string name = end < 0 ? address : address[..end];
        return name.StartsWith(Prefix, StringComparison.Ordinal) && File.Exists($"/dev/shm/{name.AsSpan(Prefix.Length)}");
    }

    /// <summary>False when the process has ended; one that its parent has not waited for yet has ended too, and so has one whose id another has now.</summary>
    public static bool IsAlive(WatchedProcess process) =>
        StateOf(process.Id) is (true, var start) && (start == process.Start || start == 0 || process.Start == 0);

    /// <summary>Whether a process runs, and when it began in ticks since the system did; 0 where that cannot be seen.</summary>
    private static (bool IsAlive, ulong Start) StateOf(int process)
    {
        try
        {
            // proc(5): "PID (name) S …": the name may contain anything, the state follows its last parenthesis, and 19 fields later the start.
            string stat = File.ReadAllText($"/proc/{process}/stat");
            string[] fields = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            return (fields is not ["Z" or "X", ..], fields.Length > StartField && ulong.TryParse(fields[StartField], NumberStyles.None, CultureInfo.InvariantCulture, out ulong start) ? start : 0);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException or IOException { HResult: NoSuchProcess })
        {
            return (false, 0);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It cannot be seen, for want of descriptors for one: that proves no end.
            return (true, 0);
        }
    }
}
