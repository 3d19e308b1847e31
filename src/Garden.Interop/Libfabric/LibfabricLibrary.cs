using System.Runtime.InteropServices;
using Garden.Interop.Libfabric.Native;

namespace Garden.Interop.Libfabric;

/// <summary>Finds the system's libfabric at run time, by soname: a second copy in one process is how processes deadlock.</summary>
internal static class LibfabricLibrary
{
    /// <summary>The name imports are declared with.</summary>
    public const string Name = "libfabric";

    /// <summary>How to get it.</summary>
    public const string InstallLine = "apt-get install -y libfabric1 libfabric-bin";

    /// <summary>The oldest library whose behaviour is known here.</summary>
    public static readonly uint OldestVersion = FI.FI_VERSION(1, 17);

    /// <summary>The newest interface version asked for: later libraries keep serving it.</summary>
    public static readonly uint NewestVersion = FI.FI_VERSION(1, 20);

    private const string Soname = "libfabric.so.1";
    private static readonly Lazy<nint> s_handle = new(Load);

    static LibfabricLibrary() => NativeLibrary.SetDllImportResolver(
        typeof(LibfabricLibrary).Assembly,
        static (name, _, _) => name == Name ? s_handle.Value : 0);

    /// <summary>True when the library was found.</summary>
    public static bool IsPresent => s_handle.Value != 0;

    /// <summary>The library's version, as major.minor.</summary>
    public static string VersionText
    {
        get
        {
            uint version = Require();
            return $"{version >> 16}.{version & 0xffff}";
        }
    }

    /// <summary>The version of the interface to ask for: what the library has, at most what is known here.</summary>
    public static uint InterfaceVersion => Math.Min(Require(), NewestVersion);

    /// <summary>Loads the library and returns its version.</summary>
    /// <exception cref="FabricException">It is not there, or too old.</exception>
    public static uint Require()
    {
        if (!IsPresent)
            throw new FabricException($"The library {Soname} was not found; install it with: {InstallLine}");
        uint version = Imports.fi_version();
        if (version < OldestVersion)
            throw new FabricException($"The library {Soname} has version {version >> 16}.{version & 0xffff}; 1.17 or newer is needed. Install it with: {InstallLine}");
        return version;
    }

    private static nint Load()
    {
        // Debian's library brings libinfinipath, which takes over SIGSEGV when it is loaded: the runtime's null checks would end the process.
        ProcessEnvironment.SetDefault("IPATH_NO_BACKTRACE", "1");
        // Providers that register with the device (efa, verbs) keep what was closed in a cache, and its key stays good: peers could still
        // write to memory that was unregistered. Regions here are registered once and live long.
        ProcessEnvironment.SetDefault("FI_MR_CACHE_MAX_COUNT", "0");
        return NativeLibrary.TryLoad(Soname, out nint handle) ? handle : 0;
    }
}
