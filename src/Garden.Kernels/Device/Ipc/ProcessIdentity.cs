using System.Globalization;

namespace Garden.Kernels;

/// <summary>A process of this host by its id and the time it started: an id alone is used again.</summary>
internal static class ProcessIdentity
{
    private const int StartField = 22;

    /// <summary>When a process started, in the kernel's ticks since boot; null when there is none of that id.</summary>
    public static ulong? StartOf(int processId)
    {
        try
        {
            // The second field is the name in parentheses and may hold anything; what follows is fields without blanks.
            string line = File.ReadAllText($"/proc/{processId.ToString(CultureInfo.InvariantCulture)}/stat");
            string[] fields = line[(line.LastIndexOf(')') + 2)..].Split(' ');
            return ulong.Parse(fields[StartField - 3], CultureInfo.InvariantCulture);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
