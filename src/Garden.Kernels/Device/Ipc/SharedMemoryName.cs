using System.Globalization;

namespace Garden.Kernels;

/// <summary>Where <see cref="SharedMemory"/> is found: a descriptor of a process, and a random number that no other file has.</summary>
/// <param name="Process">The owner's process id.</param>
/// <param name="Start">When that process started.</param>
/// <param name="Descriptor">The owner's descriptor.</param>
/// <param name="Id">Random.</param>
internal readonly record struct SharedMemoryName(int Process, ulong Start, int Descriptor, ulong Id)
{
    /// <summary>The memfd's name, which the kernel shows as the file's.</summary>
    public static string FileOf(ulong id) => $"garden-{id.ToString("x16", CultureInfo.InvariantCulture)}";

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Process}.{Start}.{Descriptor}.{Id:x16}");

    public static bool TryParse(ReadOnlySpan<char> text, out SharedMemoryName name)
    {
        name = default;
        Span<Range> parts = stackalloc Range[5];
        if (text.Split(parts, '.') != 4
            || !int.TryParse(text[parts[0]], NumberStyles.None, CultureInfo.InvariantCulture, out int process)
            || !ulong.TryParse(text[parts[1]], NumberStyles.None, CultureInfo.InvariantCulture, out ulong start)
            || !int.TryParse(text[parts[2]], NumberStyles.None, CultureInfo.InvariantCulture, out int descriptor)
            || text[parts[3]].Length != 16
            || !ulong.TryParse(text[parts[3]], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong id)
            || process == 0)
        {
            return false;
        }

        name = new SharedMemoryName(process, start, descriptor, id);
        return true;
    }
}
