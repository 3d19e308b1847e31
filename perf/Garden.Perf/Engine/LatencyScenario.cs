using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Garden.Perf.Engine;

/// <summary>From Submit to the NIC's post, beside the one-way cache-line hop between the same two cores.</summary>
internal static class LatencyScenario
{
    private const int Samples = 30_000;
    private const int Rounds = 9;

    public static async Task RunAsync(Report report)
    {
        // Until the optimised code runs: tiers come up some hundred milliseconds after the last new method.
        long began = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(2))
        {
            CoreHop();
            await SubmitToPostAsync();
        }

        double[] hops = new double[Rounds], medians = new double[Rounds], tails = new double[Rounds];
        for (int round = 0; round < Rounds; round++)
        {
            // Before the busy worker exists: it would share the second core with the hop's other end.
            ThreadAffinity.Pin(0);
            hops[round] = CoreHop();
            double[] samples = await SubmitToPostAsync();
            medians[round] = Statistics.Percentile(samples, 0.5);
            tails[round] = Statistics.Percentile(samples, 0.99);
        }

        report.Row(
            "latency",
            ("core_hop_ns", Statistics.Median(hops)),
            ("submit_to_post_p50_ns", Statistics.Median(medians)),
            ("submit_to_post_p99_ns", Statistics.Median(tails)),
            ("submit_to_post_over_core_hop", Statistics.Median(medians.Zip(hops, static (median, hop) => median / hop))));
    }

    private static async Task<double[]> SubmitToPostAsync()
    {
        await using EnginePair pair = await EnginePair.CreateAsync(1 << 20, counting: true, callerDriven: false, WaitStrategy.BusyPoll, cpu: 1);
        ThreadAffinity.Pin(0);
        CountingDomain nic = pair.Counting!.Domains[0];
        nic.Timestamps = true;
        var plan = new SingleWrite(pair.Source.Handle, 0, pair.Destination.Handle, 0, 64, Immediate.FromNumber(1));
        double[] samples = new double[Samples];
        for (int i = -Samples; i < Samples; i++)
        {
            long started = Stopwatch.GetTimestamp();
            Transfer transfer = pair.Sender.Submit(in plan);
            // No pause: hypervisors trap pause loops, and what is measured here would be the trap.
            while (!transfer.IsCompleted)
            {
            }

            transfer.GetResult();
            if (i >= 0)
                samples[i] = Statistics.Nanoseconds(nic.LastPost - started);
        }

        return samples;
    }

    /// <summary>Half a round trip of one cache line between CPU 0 and CPU 1.</summary>
    private static unsafe double CoreHop()
    {
        const int Rounds = 200_000;
        long* line = (long*)NativeMemory.AlignedAlloc(128, 128);
        *line = 0;
        var other = new Thread(() =>
        {
            ThreadAffinity.Pin(1);
            for (long i = 1; i < 2 * Rounds; i += 2)
            {
                while (Volatile.Read(ref *line) != i)
                {
                }

                Volatile.Write(ref *line, i + 1);
            }
        });
        other.Start();
        long started = Stopwatch.GetTimestamp();
        for (long i = 0; i < 2 * Rounds; i += 2)
        {
            Volatile.Write(ref *line, i + 1);
            while (Volatile.Read(ref *line) != i + 2)
            {
            }
        }

        long ticks = Stopwatch.GetTimestamp() - started;
        other.Join();
        NativeMemory.AlignedFree(line);
        return Statistics.Nanoseconds(ticks) / (2 * Rounds);
    }
}
