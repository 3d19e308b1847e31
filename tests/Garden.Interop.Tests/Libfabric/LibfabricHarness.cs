using Garden.Fabric;
using Garden.Interop.Libfabric;
using Garden.Testing;

namespace Garden.Interop.Tests.Libfabric;

/// <summary>NICs of a libfabric provider in this process.</summary>
internal abstract class LibfabricHarness : FabricHarness
{
    /// <summary>Short, so that tests of absent peers are; longer than a busy machine takes to accept a dozen connections.</summary>
    protected static readonly TimeSpan RouteTimeout = TimeSpan.FromSeconds(2);

    protected LibfabricHarness(string name) => Backends.Require(name, LibfabricLibrary.IsPresent, LibfabricLibrary.InstallLine);

    public override int RoundTrips => 2_000;

    public override bool TryFailNic(FabricEndpoint endpoint)
    {
        ((LibfabricDomain)endpoint.Domain).Fail(5);
        return true;
    }
}

/// <summary>tcp on loopback addresses: NIC i of every engine at 127.0.0.(1 + i).</summary>
internal sealed class TcpHarness(int queueDepth = 1024) : LibfabricHarness("tcp")
{
    public override string AbsentAddress => "127.0.0.1:1#1.0.40";

    protected override IFabric Create(string name, int nics) => new TcpFabric(
        TcpOptions.At([.. Enumerable.Range(1, nics).Select(i => $"127.0.0.{i}")]) with { QueueDepth = queueDepth, RouteTimeout = RouteTimeout });
}

/// <summary>Shared memory.</summary>
internal sealed class ShmHarness() : LibfabricHarness("shm")
{
    public override string AbsentAddress => "fi_shm://1:0:77#1.0.40";

    protected override IFabric Create(string name, int nics) =>
        new ShmFabric(new ShmOptions { Nics = nics, RouteTimeout = RouteTimeout });
}
