using Garden.Fabric;
using Garden.Interop.Libfabric;

namespace Garden.Perf.Doctor;

/// <summary>libfabric and what its providers offer.</summary>
internal static class LibfabricFindings
{
    public static IEnumerable<Finding> All()
    {
        if (!LibfabricLibrary.IsPresent)
        {
            yield return new Finding("libfabric", "libfabric.so.1", "not found").Unless(false, "tcp, shm, efa", LibfabricLibrary.InstallLine, "tcp", "shm", "efa");
            yield break;
        }

        yield return Version();
        string[] providers = [.. ProviderQuery.Providers()];
        yield return new Finding("libfabric", "providers of reliable endpoints with remote writes", string.Join(", ", providers));
        yield return Opens("tcp", () => new TcpFabric(TcpOptions.At("127.0.0.1")));
        yield return Opens("shm", () => new ShmFabric(new ShmOptions()));
        yield return providers.Any(static provider => provider.StartsWith("efa", StringComparison.Ordinal))
            ? new Finding("efa", "provider", "offered; `fi_info -p efa -t FI_EP_RDM` lists the adapters")
            : new Finding("efa", "provider", "no adapter is offered").Unless(false, "efa", EfaFabric.InstallLine, "efa");
    }

    private static Finding Version()
    {
        try
        {
            LibfabricLibrary.Require();
            return new Finding("libfabric", "version", $"{LibfabricLibrary.VersionText} (interface {LibfabricLibrary.InterfaceVersion >> 16}.{LibfabricLibrary.InterfaceVersion & 0xffff})");
        }
        catch (FabricException exception)
        {
            return new Finding("libfabric", "version", exception.Message).Unless(false, "tcp, shm, efa", LibfabricLibrary.InstallLine, "tcp", "shm", "efa");
        }
    }

    /// <summary>Opens a NIC and closes it: what a list says and what works are two things.</summary>
    private static Finding Opens(string name, Func<IFabric> create)
    {
        try
        {
            using IFabricDomain domain = create().Open(new FabricOpenContext(1, 0, new NoSignal()))[0];
            return new Finding(name, "a NIC", $"opened at {domain.Address}; completion means {domain.Capabilities.Completion}, {(domain.Capabilities.Ordered ? "ordered" : "not ordered")}");
        }
        catch (FabricException exception)
        {
            return new Finding(name, "a NIC", exception.Message).Unless(false, name, LibfabricLibrary.InstallLine, name);
        }
    }

    private sealed class NoSignal : IWorkerSignal
    {
        public void Wake()
        {
        }
    }
}
