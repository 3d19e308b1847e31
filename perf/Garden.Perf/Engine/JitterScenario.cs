using System.Diagnostics;

namespace Garden.Perf.Engine;

/// <summary>Round trips in caller-driven mode, with and without a thread that allocates about 1 GB/s.</summary>
internal static class JitterScenario
{
    private const int Rounds = 100_000;

    public static async Task RunAsync(Report report)
    {
        await using EnginePair pair = await EnginePair.CreateAsync(1 << 20, counting: false, callerDriven: true);
        Peer? back = null;
        foreach (Peer peer in pair.Receiver.Peers)
            back = peer;
        RoundTrips(pair, back!, 20_000);
        Print(report, "gc_jitter_quiet", RoundTrips(pair, back!, Rounds), 0);

        using var stop = new CancellationTokenSource();
        long allocated = 0;
        var allocator = new Thread(() =>
        {
            long started = Stopwatch.GetTimestamp();
            while (!stop.IsCancellationRequested)
            {
                GC.KeepAlive(new byte[16 << 10]);
                allocated += 16 << 10;
                // Paced to 1 GB/s: the question is what collections do, not what a saturated memory bus does.
                while (allocated > Stopwatch.GetElapsedTime(started).TotalSeconds * 1e9 && !stop.IsCancellationRequested)
                    Thread.Yield();
            }
        });
        allocator.Start();
        int collections = GC.CollectionCount(0);
        long began = Stopwatch.GetTimestamp();
        double[] samples = RoundTrips(pair, back!, Rounds);
        double rate = allocated / Stopwatch.GetElapsedTime(began).TotalSeconds / 1e9;
        await stop.CancelAsync();
        allocator.Join();
        Print(report, "gc_jitter_allocating", samples, rate, GC.CollectionCount(0) - collections);
    }

    private static void Print(Report report, string name, double[] samples, double rate, int collections = 0) => report.Row(
        name,
        ("round_trip_p50_ns", Statistics.Percentile(samples, 0.5)),
        ("round_trip_p99_ns", Statistics.Percentile(samples, 0.99)),
        ("round_trip_p999_ns", Statistics.Percentile(samples, 0.999)),
        ("allocated_gb_per_second", rate),
        ("collections", collections));

    private static double[] RoundTrips(EnginePair pair, Peer back, int rounds)
    {
        ImmCounter ping = pair.Receiver.GetCounter(101), pong = pair.Sender.GetCounter(102);
        double[] samples = new double[rounds];
        for (int i = 0; i < rounds; i++)
        {
            long started = Stopwatch.GetTimestamp();
            long pings = ping.Value, pongs = pong.Value;
            pair.Sender.SubmitImmediate(pair.Peer, Immediate.FromNumber(101)).Forget();
            while (ping.Value == pings)
                pair.Poll();
            pair.Receiver.SubmitImmediate(back, Immediate.FromNumber(102)).Forget();
            while (pong.Value == pongs)
                pair.Poll();
            samples[i] = Statistics.Nanoseconds(Stopwatch.GetTimestamp() - started);
        }

        return samples;
    }
}
