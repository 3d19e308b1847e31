using System.Diagnostics;

namespace Garden.Perf.Fabric;

/// <summary>The loop on the bare provider alone, in the rows of perf/native/write_loop.c.</summary>
internal static class RawScenario
{
    private const int Depth = 64;
    private static readonly TimeSpan s_sample = TimeSpan.FromSeconds(0.5);

    public static void Run(FabricChoice choice, Report report)
    {
        using var memory = new PairMemory();
        using IWritePair pair = choice.OpenCeiling(memory, Depth);
        foreach (long bytes in (long[])[8, 4096, 65_536, 1 << 20])
        {
            using var workload = new Workload(bytes, 0, (int)Math.Min(Depth, (32 << 20) / bytes));
            // The first half second is for the optimised code to come up.
            Rate(pair, workload);
            report.Line("raw", ("fabric", choice.Name), ("bytes", bytes), ("depth", workload.Depth), ("writes_per_second", Rate(pair, workload)));
        }
    }

    private static double Rate(IWritePair pair, Workload workload)
    {
        const int Step = 512;
        long writes = 0, started = Stopwatch.GetTimestamp();
        for (; Stopwatch.GetElapsedTime(started) < s_sample; writes += Step)
            pair.Write(workload, Step);
        return writes / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }
}
