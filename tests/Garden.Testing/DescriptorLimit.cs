using System.Runtime.InteropServices;

namespace Garden.Testing;

/// <summary>As long as it lives this process gets no further descriptor (<c>ulimit -n</c>); those it has stay.</summary>
public sealed partial class DescriptorLimit : IDisposable
{
    private const int NumberOfFiles = 7;
    private readonly Limit _before;

    /// <summary>Takes effect at once. What the test needs must be loaded by then: assemblies take descriptors too.</summary>
    public DescriptorLimit()
    {
        Assert.Equal(0, getrlimit(NumberOfFiles, out _before));
        // Low, so that all below are taken for good; not 0, because poll takes no more entries than this.
        ulong free;
        using (Microsoft.Win32.SafeHandles.SafeFileHandle next = File.OpenHandle("/dev/null"))
            free = (ulong)next.DangerousGetHandle();
        Limit none = _before with { Current = Math.Min(free, 24) };
        Assert.Equal(0, setrlimit(NumberOfFiles, in none));
    }

    /// <inheritdoc/>
    public void Dispose() => _ = setrlimit(NumberOfFiles, in _before);

    [LibraryImport("libc")]
    private static partial int getrlimit(int resource, out Limit limit);

    [LibraryImport("libc")]
    private static partial int setrlimit(int resource, in Limit limit);

    [StructLayout(LayoutKind.Sequential)]
    private record struct Limit(ulong Current, ulong Maximum);
}
