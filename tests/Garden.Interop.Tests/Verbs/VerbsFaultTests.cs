using System.Diagnostics;
using Garden.Interop.Tests.Libfabric;
using Garden.Testing;

namespace Garden.Interop.Tests.Verbs;

/// <summary>Wires that are pulled and wires that lose packets: in a virtual machine whose devices have a bridge between them (rpeer0, rpeer1, …).</summary>
public sealed class VerbsFaultTests
{
    [Fact]
    public async Task H2_APeerBehindAPulledWireFailsByNameOthersGoOnAndItConnectsAgain()
    {
        RequireWires(3);
        int next = 0;
        await using TransferEngine sender = FabricEngines.Build(VerbsEngines.Create(ref next), VerbsEngines.Patient);
        await using TransferEngine pulled = FabricEngines.Build(VerbsEngines.Create(ref next), VerbsEngines.Patient), other = FabricEngines.Build(VerbsEngines.Create(ref next), VerbsEngines.Patient);
        using var buffer = new NativeBuffer(1 << 20);
        MemoryRegion source = sender.Register(buffer);
        Peer lost = await sender.ConnectAsync(pulled.Address, VerbsEngines.Limit), kept = await sender.ConnectAsync(other.Address, VerbsEngines.Limit);
        RemoteRegion far = lost.Import(pulled.Register(buffer).Export()), near = kept.Import(other.Register(buffer).Export());
        await WriteAsync(far);
        await RunAsync("ip", "link", "set", "rpeer1", "down");
        try
        {
            GardenException failure = await Assert.ThrowsAnyAsync<GardenException>(() => WriteAsync(far));
            await FabricEngines.UntilAsync(() => lost.State == PeerState.Failed, "the peer's failure");
            Assert.Contains(pulled.Address.Nics[0], lost.Failure!.Message + failure.Message, StringComparison.Ordinal);
            await WriteAsync(near);
            Assert.Equal(PeerState.Ready, kept.State);
        }
        finally
        {
            await RunAsync("ip", "link", "set", "rpeer1", "up");
        }

        Peer again = await sender.ConnectAsync(pulled.Address, VerbsEngines.Limit);
        Assert.True(again.Epoch > lost.Epoch);
        await WriteAsync(again.Import(pulled.Register(buffer).Export()));

        Task<TransferResult> WriteAsync(RemoteRegion to) => VerbsEngines.EndAsync(sender.SubmitSingleWrite(source, 0, to, 0, 100_000));
    }

    [Fact]
    public async Task T8_APortWithManyAddressesIsOpenedAtItsFirst()
    {
        RequireWires(2);
        // More than the 256 identifiers that are asked for at first.
        string file = Path.GetTempFileName();
        await File.WriteAllLinesAsync(file, Enumerable.Range(0, 300).Select(static i => $"addr add 10.78.{i / 100}.{(i % 100) + 1}/32 dev rnic0"));
        try
        {
            await RunAsync("ip", "-batch", file);
            using var harness = new VerbsHarness();
            FabricEndpoint end = harness.Open("a")[0];
            Assert.StartsWith("::ffff:10.77.0.1#", end.Domain.Address, StringComparison.Ordinal);
        }
        finally
        {
            await RunAsync("ip", "addr", "flush", "dev", "rnic0", "to", "10.78.0.0/16");
            File.Delete(file);
        }
    }

    [Fact]
    public async Task H2_OnePulledWireOfTwoLeavesTheOther()
    {
        RequireWires(4);
        await using FabricEngines pair = await VerbsEngines.PairAsync(2, 2);
        await RunAsync("ip", "link", "set", "rpeer1", "down");
        try
        {
            // What was posted on the pulled wire fails; what is submitted after that goes over the other one.
            await FabricEngines.UntilAsync(
                () =>
                {
                    pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 1 << 20).Forget();
                    return pair.Peer.State != PeerState.Ready || pair.Sender.GetStatistics().TransfersFailed != 0;
                },
                "a failure");
            await FabricEngines.UntilAsync(() => pair.Sender.GetStatistics().TransfersActive == 0, "the end of all transfers");
            Assert.Equal(PeerState.Ready, pair.Peer.State);
            pair.Fill(3);
            using ImmCounter counter = pair.Receiver.AllocateCounter();
            await VerbsEngines.EndAsync(pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 300_000, counter.Immediate));
            await VerbsEngines.ReachAsync(counter, TransferUnits.OfRun(300_000));
            pair.AssertMoved(0, 0, 300_000);
        }
        finally
        {
            await RunAsync("ip", "link", "set", "rpeer1", "up");
        }
    }

    [Fact]
    public async Task L7_WithTwoPacketsInAHundredLostEverythingArrivesWhole()
    {
        RequireWires(2);
        await RunAsync("tc", "qdisc", "add", "dev", "rpeer0", "root", "netem", "loss", "2%");
        try
        {
            await using FabricEngines pair = await VerbsEngines.PairAsync();
            for (int round = 0; round < 5; round++)
            {
                pair.Fill(round);
                using ImmCounter counter = pair.Receiver.AllocateCounter();
                await VerbsEngines.EndAsync(pair.Sender.SubmitSingleWrite(pair.Source, 5, pair.Destination, 9, 200_000, counter.Immediate));
                await VerbsEngines.ReachAsync(counter, TransferUnits.OfRun(200_000));
                pair.AssertMoved(5, 9, 200_000);
            }
        }
        finally
        {
            await RunAsync("tc", "qdisc", "del", "dev", "rpeer0", "root");
        }
    }

    private static void RequireWires(int count)
    {
        TestDevices.Require();
        if (!Directory.Exists("/sys/class/net/rpeer0"))
            Assert.Skip("The devices' wires are not this test's to pull: it runs in the virtual machine of eng/rdma-vm.sh.");
        if (TestDevices.Names.Length < count)
            Assert.Skip($"This test needs {count} devices; {TestDevices.Names.Length} are here.");
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardError = true };
        // Where distributions keep them.
        start.Environment["PATH"] = $"/usr/sbin:/sbin:{Environment.GetEnvironmentVariable("PATH")}";
        if (File.Exists($"/sbin/{program}"))
            start.FileName = $"/sbin/{program}";
        using Process process = Process.Start(start)!;
        string errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(VerbsEngines.Limit);
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {errors}");
    }
}
