using System.Diagnostics;
using System.Runtime.InteropServices;
using Garden.Fabric;
using Garden.Interop.Libfabric;
using Garden.Testing;

namespace Garden.Interop.Tests.Libfabric;

/// <summary>NICs of a libfabric provider in this process.</summary>
internal abstract partial class LibfabricHarness : FabricHarness
{
    /// <summary>Short, so that tests of absent peers are.</summary>
    protected static readonly TimeSpan RouteTimeout = TimeSpan.FromSeconds(1);

    protected LibfabricHarness(string name) => Backends.Require(name, LibfabricLibrary.IsPresent, LibfabricLibrary.InstallLine);

    public override int RoundTrips => 2_000;

    public override bool TryFailNic(FabricEndpoint endpoint)
    {
        ((LibfabricDomain)endpoint.Domain).Fail(5);
        return true;
    }

    public override void Park(FabricEndpoint endpoint, long dueTimestamp, Deadline deadline)
    {
        if (endpoint.Domain.WaitDescriptor < 0)
        {
            base.Park(endpoint, dueTimestamp, deadline);
            return;
        }

        double due = dueTimestamp == long.MaxValue ? double.MaxValue : (dueTimestamp - Stopwatch.GetTimestamp()) * 1000.0 / Stopwatch.Frequency;
        var descriptor = new PollDescriptor { Descriptor = endpoint.Domain.WaitDescriptor, Events = 1 };
        _ = Poll(ref descriptor, 1, (int)Math.Clamp(Math.Ceiling(due), 0, deadline.Left.TotalMilliseconds));
    }

    [LibraryImport("libc", EntryPoint = "poll")]
    private static partial int Poll(ref PollDescriptor descriptors, nuint count, int milliseconds);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollDescriptor
    {
        public int Descriptor;
        public short Events;
        public short Happened;
    }
}

/// <summary>tcp on loopback addresses: NIC i of every engine at 127.0.0.(1 + i).</summary>
internal sealed class TcpHarness(int queueDepth = 1024) : LibfabricHarness("tcp")
{
    public override string AbsentAddress => "127.0.0.1:1#1.0";

    protected override IFabric Create(string name, int nics) => new TcpFabric(
        TcpOptions.At([.. Enumerable.Range(1, nics).Select(i => $"127.0.0.{i}")]) with { QueueDepth = queueDepth, RouteTimeout = RouteTimeout });
}

/// <summary>Shared memory.</summary>
internal sealed class ShmHarness() : LibfabricHarness("shm")
{
    public override string AbsentAddress => "fi_shm://1:0:77#1.0";

    protected override IFabric Create(string name, int nics) =>
        new ShmFabric(new ShmOptions { Nics = nics, RouteTimeout = RouteTimeout });
}
