using System.Diagnostics;
using Garden.Interop.Libfabric;
using Garden.Interop.Tests.Libfabric;
using Garden.Samples;
using Garden.Testing;

namespace Garden.Interop.Tests.Processes;

/// <summary>Alone in its process: what it states is the process's memory and descriptors.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class StormCollection
{
    public const string Name = "Storm";
}

[Collection(StormCollection.Name)]
public class ConnectionStormTests(ITestOutputHelper output)
{
    private const int Endpoints = 1000;

    /// <summary>What docs/fabrics.md states for one connected tcp peer at the engine.</summary>
    private const int MostDescriptorsOfPeer = 2;

    private const long MostBytesOfPeer = 1 << 20;

    [Fact]
    public async Task H7_a_thousand_endpoints_connect_to_one_engine_at_once_without_loss()
    {
        Backends.Require("tcp", LibfabricLibrary.IsPresent, LibfabricLibrary.InstallLine);
        await using TransferEngine engine = FabricEngines.Build(
            // Endpoints without an engine send no heartbeats.
            new TcpFabric(TcpOptions.At("127.0.0.1")), static options => options.MissedHeartbeats = 100);
        string place = $"file:{Path.Combine(Path.GetTempPath(), $"garden-{Environment.ProcessId}-storm")}";
        await using (HostProcess storm = HostProcess.StartStorm(place, Endpoints))
        {
            Usage before = Usage.Now();
            await using IAsyncDisposable published = await Rendezvous.PublishAsync(place, engine.Address.ToString());
            output.WriteLine(await storm.LineAsync("opened "));
            string accepted = await storm.LineAsync("accepted ");
            Usage with = Usage.Now();
            output.WriteLine($"{accepted}; endpoints: {await storm.LineAsync("holds ")}");
            output.WriteLine($"engine: {(double)(with.Descriptors - before.Descriptors) / Endpoints:0.00} descriptors and {(with.Bytes - before.Bytes) / Endpoints / 1024} KiB a peer, {with.Threads - before.Threads} threads more");
            Assert.StartsWith($"accepted {Endpoints} in", accepted, StringComparison.Ordinal);
            Assert.Equal(Endpoints, engine.Peers.Count);
            Assert.Equal(0, engine.GetStatistics().MessagesDropped);
            Assert.InRange(with.Descriptors - before.Descriptors, Endpoints, MostDescriptorsOfPeer * Endpoints);
            // It may shrink as well: what earlier tests held is given back meanwhile.
            Assert.True(with.Bytes - before.Bytes < MostBytesOfPeer * Endpoints, $"{(with.Bytes - before.Bytes) / Endpoints} bytes a peer");
            // The pool's own; none is a peer's.
            Assert.InRange(with.Threads - before.Threads, -16, 16);
        }
    }

    private readonly record struct Usage(int Descriptors, long Bytes, int Threads)
    {
        public static Usage Now()
        {
            using var process = Process.GetCurrentProcess();
            return new Usage(Directory.GetFiles("/proc/self/fd").Length, process.WorkingSet64, process.Threads.Count);
        }
    }
}
