using System.Globalization;
using Garden.Kernels.Native;

namespace Garden.Kernels;

/// <summary>A process of this host by its id and the time it started: an id alone is used again.</summary>
internal static class ProcessIdentity
{
    private const int StartField = 22;
    private static ulong s_ownStart;

    /// <summary>When this process started; 0 where the system does not tell.</summary>
    /// <exception cref="FabricException">The system refused to say.</exception>
    public static ulong OwnStart
    {
        get
        {
            // Asked once: later there may be no descriptor left to ask by.
            if (Volatile.Read(ref s_ownStart) == 0)
                Volatile.Write(ref s_ownStart, StartOf(Environment.ProcessId) ?? 0);
            return s_ownStart;
        }
    }

    /// <summary>When a process started, in the kernel's ticks since boot; null when there is none of that id.</summary>
    /// <exception cref="FabricException">The system refused to say, for want of descriptors for one: nothing is known of the process.</exception>
    public static ulong? StartOf(int processId)
    {
        try
        {
            // The second field is the name in parentheses and may hold anything; what follows is fields without blanks.
            string line = File.ReadAllText($"/proc/{processId.ToString(CultureInfo.InvariantCulture)}/stat");
            string[] fields = line[(line.LastIndexOf(')') + 2)..].Split(' ');
            return ulong.Parse(fields[StartField - 3], CultureInfo.InvariantCulture);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException or IOException { HResult: LibC.ESRCH })
        {
            return null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new FabricException($"Whether process {processId} still runs cannot be seen: {exception.Message} Look at `ulimit -n`, and at how /proc is mounted.", innerException: exception);
        }
    }
}
