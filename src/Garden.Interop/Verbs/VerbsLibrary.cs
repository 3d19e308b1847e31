using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs;

/// <summary>Finds the system's libibverbs at run time, by soname: providers are loaded by it, and a second copy would not know them.</summary>
internal static class VerbsLibrary
{
    /// <summary>The name imports are declared with.</summary>
    public const string Soname = "libibverbs.so.1";

    /// <summary>How to get it.</summary>
    public const string InstallLine = "apt-get install -y libibverbs1 ibverbs-providers rdma-core";

    /// <summary>How to get a device where there is no RDMA hardware.</summary>
    public const string SoftDeviceLine = "modprobe rdma_rxe && rdma link add rxe0 type rxe netdev eth0";

    private static readonly Lazy<bool> s_isPresent = new(static () => NativeLibrary.TryLoad(Soname, out nint handle)
        // What the table of identifiers is read with, since rdma-core 32.
        && NativeLibrary.TryGetExport(handle, "_ibv_query_gid_table", out _));

    /// <summary>True when the library was found and is new enough.</summary>
    public static bool IsPresent => s_isPresent.Value;

    /// <summary>Throws unless the library has a function that came later.</summary>
    /// <exception cref="FabricException">It does not have it.</exception>
    public static void Require(string function, string since)
    {
        Require();
        if (!NativeLibrary.TryGetExport(NativeLibrary.Load(Soname), function, out _))
            throw new FabricException($"{Soname} has no {function}, which came with rdma-core {since}; install a newer one: {InstallLine}");
    }

    /// <summary>Throws unless the library is there.</summary>
    /// <exception cref="FabricException">It is not there, or too old.</exception>
    public static void Require()
    {
        if (!IsPresent)
            throw new FabricException($"The library {Soname} of rdma-core 32 or newer was not found; install it with: {InstallLine}");
    }
}
