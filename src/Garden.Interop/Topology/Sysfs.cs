using System.Globalization;

namespace Garden.Interop.Topology;

/// <summary>
/// The files of a sysfs tree. A device may go while it is looked at, and drivers answer some attributes with an error: what cannot be read is
/// absent.
/// </summary>
internal sealed class Sysfs(string root)
{
    private const int Unset = -1;

    private readonly string _devices = Path.Combine(root, "devices");

    /// <summary>An attribute's text without its line end; null where it is absent.</summary>
    public string? Text(string path)
    {
        try
        {
            return File.ReadAllText(Path.Combine(root, path)).Trim();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>A decimal number, -1 where it is absent.</summary>
    public int Number(string path) =>
        int.TryParse(Text(path), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) ? value : Unset;

    /// <summary>A number as PCI's attributes are written, <c>0x030200</c>; 0 where it is absent.</summary>
    public uint Hexadecimal(string path) =>
        Text(path) is ['0', 'x', .. var digits] && uint.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint value) ? value : 0;

    /// <summary>A list of CPUs, empty where it is absent or none.</summary>
    public int[] Cpus(string path)
    {
        try
        {
            return CpuList.Parse(Text(path) ?? "");
        }
        catch (FormatException)
        {
            return [];
        }
    }

    /// <summary>Names in a directory in ordinal order; none where it is absent.</summary>
    public string[] Names(string path)
    {
        try
        {
            string[] names = [.. Directory.EnumerateFileSystemEntries(Path.Combine(root, path)).Select(static entry => Path.GetFileName(entry))];
            Array.Sort(names, string.CompareOrdinal);
            return names;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>Numbers of the entries called prefix and number, ascending.</summary>
    public int[] Numbers(string path, string prefix)
    {
        int[] numbers = [.. Names(path)
            .Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
            .Select(name => int.TryParse(name.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : Unset)
            .Where(static number => number != Unset)];
        Array.Sort(numbers);
        return numbers;
    }

    /// <summary>What a link in a class or bus directory points at, relative to <c>devices</c>; null for one that points elsewhere or nowhere.</summary>
    public string? DevicePath(string link)
    {
        try
        {
            string? target = Directory.ResolveLinkTarget(Path.Combine(root, link), returnFinalTarget: false)?.FullName;
            if (target is null)
                return null;
            string relative = Path.GetRelativePath(_devices, target);
            return relative.StartsWith("..", StringComparison.Ordinal) ? null : relative;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
