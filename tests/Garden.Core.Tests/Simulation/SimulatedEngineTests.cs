using Garden.Fabric.Simulation;

namespace Garden.Core.Tests.Simulation;

/// <summary>The engine itself in virtual time: caller-driven engines on a simulated wire, polled in turn by one thread.</summary>
public sealed class SimulatedEngineTests
{
    private const int MostTurns = 1_000_000;

    [Fact]
    public async Task An_engines_write_takes_what_the_nic_takes()
    {
        var nic = new SimulatedNicOptions { BytesPerSecond = 1e9 };
        double seconds = await PlayAsync([nic], 8 << 20);
        // 8 MiB at 1 GB/s, and what a latency and the quanta of several writes cost.
        Assert.InRange(seconds, 8.388608e-3, 8.6e-3);
    }

    [Fact]
    public async Task Two_nics_take_half_the_time()
    {
        var nic = new SimulatedNicOptions { BytesPerSecond = 1e9 };
        Assert.InRange(await PlayAsync([nic, nic], 64 << 20), 33.5e-3, 36e-3);
    }

    [Fact]
    public async Task Every_byte_arrives_also_out_of_order()
    {
        var nic = new SimulatedNicOptions { BytesPerSecond = 1e9, Jitter = TimeSpan.FromMicroseconds(300) };
        Assert.InRange(await PlayAsync([nic, nic], 1 << 20), 0.52e-3, 2e-3);
    }

    /// <summary>Virtual seconds of a counted write of so many bytes, connected engines before it; checks the bytes.</summary>
    private static async Task<double> PlayAsync(SimulatedNicOptions[] nics, int bytes)
    {
        var wire = new SimulatedWire(seed: 3);
        await using TransferEngine sender = Build(wire, "sender", nics), receiver = Build(wire, "receiver", nics);
        using var source = new NativeBuffer(bytes);
        using var destination = new NativeBuffer(bytes);
        new Random(1).NextBytes(source.Span(0, bytes));
        ValueTask<Peer> connecting = sender.ConnectAsync(receiver.Address);
        Poll(() => connecting.IsCompleted);
        Peer peer = await connecting;
        MemoryRegion from = sender.Register(source), to = receiver.Register(destination);
        using ImmCounter counter = receiver.AllocateCounter();
        var write = new SingleWrite(from.Handle, 0, peer.Import(to.Export()).Handle, 0, bytes, counter.Immediate);
        long units = TransferUnits.OfRun(bytes);
        double start = wire.Seconds;
        Transfer transfer = sender.Submit(in write);
        Poll(() => counter.Value == units);
        double seconds = wire.Seconds - start;
        Poll(() => transfer.IsCompleted);
        Assert.True(destination.Span(0, bytes).SequenceEqual(source.Span(0, bytes)));
        return seconds;

        void Poll(Func<bool> done)
        {
            for (int turn = 0; !done(); turn++)
            {
                Assert.True(turn < MostTurns, $"Nothing came in {MostTurns} turns of both engines.");
                sender.Poll();
                receiver.Poll();
            }
        }
    }

    private static TransferEngine Build(SimulatedWire wire, string name, SimulatedNicOptions[] nics) => TransferEngine.CreateBuilder()
        .UseFabric(new SimulatedFabric(wire, name, nics[0], nics.Length))
        .Configure(static options => options.CallerDriven = true)
        .Build();
}
