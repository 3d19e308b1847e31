using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>The environment native libraries read: .NET keeps a copy of its own, they do not see what is set there.</summary>
internal static partial class ProcessEnvironment
{
    /// <summary>Sets a variable that is not set yet.</summary>
    public static void SetDefault(string name, string value) => _ = setenv(name, value, overwrite: 0);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int setenv(string name, string value, int overwrite);
}
