using Garden.Fabric;
using Garden.Fabric.Simulation;

namespace Garden.Core.Tests.Simulation;

/// <summary>The model against arithmetic: what one flow, several and a crowded receiver take.</summary>
public sealed class SimulatedNetworkTests
{
    private static readonly SimulatedNicOptions s_nic = new()
    {
        BytesPerSecond = 1e9,
        Latency = TimeSpan.FromMicroseconds(5),
        OperationCost = TimeSpan.FromMicroseconds(1),
        QuantumBytes = 1 << 16,
        WindowBytes = 1 << 18,
    };

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(65_537)]
    [InlineData(100_000_000)]
    public void One_message_takes_its_bytes_a_latency_and_an_operation(long bytes)
    {
        var play = new Play(2);
        play.Send(0, 1, bytes);
        Assert.Equal((bytes / 1e9) + 6e-6, play.Run(), 1e-9);
    }

    [Fact]
    public void Senders_share_a_receiver_evenly_and_end_together()
    {
        var play = new Play(5);
        for (int sender = 0; sender < 4; sender++)
            play.Send(sender, 4, 10_000_000);
        Assert.Equal(0.04, play.Run(), 1e-4);
        Assert.All(play.Ended, pair => Assert.Equal(0.04, pair.Value, 4e-4));
    }

    [Fact]
    public void A_sender_goes_on_with_others_when_a_receiver_is_crowded()
    {
        var play = new Play(10);
        for (int sender = 1; sender < 8; sender++)
            play.Send(sender, 8, 10_000_000);
        play.Send(0, 8, 10_000_000);
        play.Send(0, 9, 10_000_000);
        play.Run();
        // Alone it would take 10 ms; a queue with a window in front of it may cost it no more than that again.
        Assert.True(play.Ended[8] < 0.02, $"{play.Ended[8]}");
        Assert.Equal(0.08, play.Ended[7], 1e-3);
    }

    [Fact]
    public void Small_messages_are_bound_by_operations()
    {
        var play = new Play(2);
        for (int i = 0; i < 10_000; i++)
            play.Send(0, 1, 8);
        Assert.Equal(10_000 * 1.008e-6, play.Run(), 1e-4);
    }

    [Fact]
    public void A_slow_nic_slows_what_goes_through_it_only()
    {
        var play = new Play(4);
        play.Network.Nics[1].Slow(3);
        play.Send(0, 1, 10_000_000);
        play.Send(2, 3, 10_000_000);
        play.Run();
        Assert.Equal(0.03, play.Ended[0], 1e-3);
        Assert.Equal(0.01, play.Ended[1], 1e-3);
    }

    [Fact]
    public void Jitter_lets_messages_overtake_and_none_is_lost_and_the_seed_decides()
    {
        int[] first = Order(1), again = Order(1), other = Order(2);
        Assert.Equal(first, again);
        Assert.NotEqual(first, other);
        Assert.NotEqual(Enumerable.Range(0, 100), first);
        Assert.Equal(Enumerable.Range(0, 100), first.Order());

        static int[] Order(int seed)
        {
            var play = new Play(2, s_nic with { Jitter = TimeSpan.FromMicroseconds(100) }, seed);
            for (int i = 0; i < 100; i++)
                play.Send(0, 1, 100);
            play.Run();
            return [.. play.Ended.OrderBy(pair => pair.Value).Select(pair => (int)pair.Key)];
        }
    }

    [Fact]
    public void Nothing_goes_faster_than_the_busiest_nic_and_all_of_it_arrives() =>
        Gen.Select(Gen.Int[0, 3], Gen.Int[0, 3], Gen.Long[0, 500_000]).Array[1, 60].Sample(
            messages =>
            {
                var play = new Play(8);
                long[] sent = new long[4], received = new long[4];
                foreach ((int from, int to, long bytes) in messages)
                {
                    play.Send(from, 4 + to, bytes);
                    sent[from] += bytes;
                    received[to] += bytes;
                }

                double seconds = play.Run();
                Assert.Equal(messages.Length, play.Ended.Count);
                Assert.True(seconds >= Math.Max(sent.Max(), received.Max()) / 1e9);
                // No NIC is idle for long while it has work: within a factor of two of the bound, and the time of single messages.
                Assert.True(seconds <= (sent.Max() + received.Max()) / 1e9 + (messages.Length * 1e-5) + 1e-3, $"{seconds}");
                Assert.Equal(sent, play.Network.Nics.Take(4).Select(nic => nic.BytesSent));
                Assert.Equal(received, play.Network.Nics.Skip(4).Select(nic => nic.BytesReceived));
            },
            iter: 200, threads: 1);

    [Fact]
    public void A_step_allocates_nothing()
    {
        var play = new Play(2);
        play.Send(0, 1, 1L << 30);
        for (int i = 0; i < 1000; i++)
            play.Network.Clock.Step();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
            play.Network.Clock.Step();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void What_cannot_be_is_refused()
    {
        var network = new SimulatedNetwork(new SimulationClock());
        Assert.Throws<FabricException>(() => network.AddNic(s_nic with { BytesPerSecond = 0 }));
        Assert.Throws<FabricException>(() => network.AddNic(s_nic with { BytesPerSecond = double.NaN }));
        Assert.Throws<FabricException>(() => network.AddNic(s_nic with { Latency = TimeSpan.FromTicks(-1) }));
        Assert.Throws<FabricException>(() => network.AddNic(s_nic with { WindowBytes = 1 }));
        Assert.Throws<FabricException>(() => network.AddNic(s_nic with { QuantumBytes = 0 }));
        SimulatedNic nic = network.AddNic(s_nic);
        Assert.Throws<ArgumentOutOfRangeException>(() => nic.Slow(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => network.Send(nic, nic, -1, new Play(1), 0));
        network.Clock.RunUntil(1000);
        Assert.Throws<ArgumentOutOfRangeException>(() => network.Clock.Schedule(999, new Play(1), 0));
    }

    /// <summary>A network and when each message arrived.</summary>
    private sealed class Play : ISimulationHandler
    {
        public Play(int nics, SimulatedNicOptions? options = null, int seed = 0)
        {
            Network = new SimulatedNetwork(new SimulationClock(), seed);
            for (int i = 0; i < nics; i++)
                Network.AddNic(options ?? s_nic);
        }

        private long _count;

        public SimulatedNetwork Network { get; }

        public Dictionary<long, double> Ended { get; } = [];

        public void Send(int from, int to, long bytes) => Network.Send(Network.Nics[from], Network.Nics[to], bytes, this, _count++);

        public double Run()
        {
            while (Network.Clock.Step())
            {
            }

            return Ended.Values.Max();
        }

        public void Handle(long argument) => Ended.Add(argument, Network.Clock.Seconds);
    }
}
