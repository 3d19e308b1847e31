using System.Globalization;

namespace Garden.Interop.Topology;

/// <summary>The kernel's lists of CPUs: <c>0-55,112-167</c>.</summary>
internal static class CpuList
{
    /// <summary>More than any kernel is built for: a longer range is no list of CPUs.</summary>
    private const int MostCpus = 1 << 16;

    /// <summary>The CPUs in ascending order; none for an empty list.</summary>
    /// <exception cref="FormatException">The text is no such list.</exception>
    public static int[] Parse(string text)
    {
        var cpus = new SortedSet<int>();
        foreach (string part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] ends = part.Split('-');
            if (ends.Length > 2 || !Number(ends[0], out int first) || !Number(ends[^1], out int last) || last < first)
                throw new FormatException($"\"{text}\" is no list of CPUs; one looks like 0-3,8.");
            for (int cpu = first; cpu <= last; cpu++)
                cpus.Add(cpu);
        }

        return [.. cpus];
    }

    /// <summary>The shortest list of these CPUs.</summary>
    public static string Format(IReadOnlyList<int> cpus)
    {
        var parts = new List<string>();
        for (int i = 0; i < cpus.Count; i++)
        {
            int first = cpus[i];
            while (i + 1 < cpus.Count && cpus[i + 1] == cpus[i] + 1)
                i++;
            parts.Add(first == cpus[i] ? $"{first}" : $"{first}-{cpus[i]}");
        }

        return string.Join(',', parts);
    }

    private static bool Number(string text, out int value) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value < MostCpus;
}
