using System.Diagnostics;
using System.Globalization;

namespace Garden.Perf.Fabric;

/// <summary>
/// The loop on the bare provider alone, or the engine's, by command like perf/native/write_loop.c: a line "BYTES MILLISECONDS [DEPTH]" is a
/// sample, and its writes per second the answer. So two programs can take turns many times.
/// </summary>
internal static class SampleScenario
{
    private const int Depth = 64;

    public static void Run(FabricChoice choice, bool throughEngine, TextReader commands, TextWriter answers)
    {
        using var memory = new PairMemory();
        using IWritePair pair = throughEngine ? choice.OpenEngine(memory, Depth) : choice.OpenCeiling(memory, Depth);
        while (commands.ReadLine() is { } line)
        {
            string[] words = line.Split(' ');
            long bytes = long.Parse(words[0], CultureInfo.InvariantCulture);
            var sample = TimeSpan.FromMilliseconds(double.Parse(words[1], CultureInfo.InvariantCulture));
            int depth = words.Length > 2 ? int.Parse(words[2], CultureInfo.InvariantCulture) : (int)Math.Min(Depth, (32 << 20) / bytes);
            using var workload = new Workload(bytes, 0, depth);
            answers.WriteLine(Rate(pair, workload, sample).ToString("0.0", CultureInfo.InvariantCulture));
            answers.Flush();
        }
    }

    private static double Rate(IWritePair pair, Workload workload, TimeSpan sample)
    {
        int step = 8 * workload.Depth;
        long writes = 0, started = Stopwatch.GetTimestamp();
        for (; Stopwatch.GetElapsedTime(started) < sample; writes += step)
            pair.Write(workload, step);
        return writes / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }
}
