using System.Diagnostics;
using Garden.Interop.Libfabric;
using Garden.Testing;

namespace Garden.Interop.Tests.Libfabric;

public class ConnectionStormTests(ITestOutputHelper output)
{
    private const int Endpoints = 1000;

    /// <summary>What docs/fabrics.md states for one connected endpoint and its peer's side of the connection together.</summary>
    private const int MostDescriptors = 12;

    private const long MostBytes = 3 << 20;

    [Fact]
    public async Task H7_a_thousand_endpoints_connect_to_one_engine_at_once_without_loss()
    {
        Backends.Require("tcp", LibfabricLibrary.IsPresent, LibfabricLibrary.InstallLine);
        var deadline = Deadline.In(TimeSpan.FromSeconds(120));
        var endpoints = new List<BareEndpoint>();
        await using TransferEngine engine = FabricEngines.Build(
            // Endpoints without an engine send no heartbeats.
            new TcpFabric(TcpOptions.At("127.0.0.1")), static options => options.MissedHeartbeats = 600);
        Usage before = Usage.Now();
        try
        {
            for (int i = 0; i < Endpoints; i++)
                endpoints.Add(new BareEndpoint(i, $"127.0.{1 + (i / 200)}.{1 + (i % 200)}"));
            long started = Stopwatch.GetTimestamp();
            foreach (BareEndpoint endpoint in endpoints)
                endpoint.SayHello(engine.Address.Nics[0]);
            while (endpoints.Exists(static endpoint => endpoint.Acceptances == 0))
            {
                deadline.Check(() => $"{endpoints.Count(static endpoint => endpoint.Acceptances == 0)} of {Endpoints} were not accepted; the engine has {engine.Peers.Count} peers");
                endpoints.ForEach(static endpoint => endpoint.Poll());
            }

            TimeSpan took = Stopwatch.GetElapsedTime(started);
            Usage with = Usage.Now();
            output.WriteLine($"{Endpoints} endpoints in {took.TotalSeconds:0.00} s: {(double)(with.Descriptors - before.Descriptors) / Endpoints:0.0} descriptors and {(with.Bytes - before.Bytes) / Endpoints / 1024} KiB each, both ends; {with.Threads - before.Threads} threads more");
            Assert.All(endpoints, static endpoint => Assert.Equal((1, 0), (endpoint.Acceptances, endpoint.Others)));
            Assert.Equal(Endpoints, engine.Peers.Count);
            Assert.Equal(0, engine.GetStatistics().MessagesDropped);
            Assert.InRange(with.Descriptors - before.Descriptors, 0, MostDescriptors * Endpoints);
            Assert.InRange(with.Bytes - before.Bytes, 0, MostBytes * Endpoints);
            Assert.InRange(with.Threads - before.Threads, 0, 16);
        }
        finally
        {
            endpoints.ForEach(static endpoint => endpoint.Dispose());
        }

        await engine.DisposeAsync();
        // The engine's own were there before as well; what is left over is at most the runtime's.
        Assert.InRange(Usage.Now().Descriptors - before.Descriptors, -100, 16);
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
