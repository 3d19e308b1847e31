using System.Globalization;

namespace Garden.Interop.Libfabric;

/// <summary>Whether what is behind a shared-memory address is still there. Its name begins <c>fi_shm://PID:</c>.</summary>
internal static class ProcessWatch
{
    public const int IntervalMilliseconds = 100;
    private const string Prefix = "fi_shm://";

    /// <summary>ESRCH: it ended between the open and the read.</summary>
    private const int NoSuchProcess = 3;

    /// <summary>The process of an address where it is another one and can be seen from here (not across PID namespaces), else 0.</summary>
    public static int OwnerOf(string address)
    {
        int process = ProcessOf(address);
        return process != 0 && process != Environment.ProcessId && IsAlive(process) ? process : 0;
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

    /// <summary>False when the process has ended; one that its parent has not waited for yet has ended too.</summary>
    public static bool IsAlive(int process)
    {
        try
        {
            // "PID (name) S …": the name may contain anything, the state follows its last parenthesis.
            string stat = File.ReadAllText($"/proc/{process}/stat");
            int name = stat.LastIndexOf(')');
            return name < 0 || name + 2 >= stat.Length || stat[name + 2] is not ('Z' or 'X');
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException or IOException { HResult: NoSuchProcess })
        {
            return false;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It cannot be seen, for want of descriptors for one: that proves no end.
            return true;
        }
    }
}
