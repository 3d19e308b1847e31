using System.Diagnostics;

namespace Garden.Perf.Fabric;

/// <summary>Interleaved pairs of the engine and its ceiling: what disturbs the machine disturbs both.</summary>
internal static class PairedMeasurement
{
    /// <summary>Medians of a workload's throughput.</summary>
    /// <param name="Engine">Seconds per write.</param>
    /// <param name="Ceiling">Seconds per write.</param>
    /// <param name="Ratio">Median of the pairs' ratios, engine over ceiling, 1 when they are level.</param>
    /// <param name="Low">The least of them.</param>
    /// <param name="High">The greatest of them.</param>
    /// <param name="Cpu">Processor time over wall time while the engine ran.</param>
    public readonly record struct Throughput(double Engine, double Ceiling, double Ratio, double Low, double High, double Cpu);

    public static Throughput Measure(IWritePair engine, IWritePair ceiling, Workload workload, int rounds, TimeSpan sample)
    {
        long operations = Calibrate(ceiling, workload, sample), engineOperations = Calibrate(engine, workload, sample);
        double[] engines = new double[rounds], ceilings = new double[rounds];
        TimeSpan processor = default;
        double wall = 0;
        for (int round = 0; round < rounds; round++)
        {
            // Who goes first changes: the second one finds the caches and the clock of the first.
            if (round % 2 == 0)
                ceilings[round] = Time(ceiling, workload, operations);
            TimeSpan before = Environment.CpuUsage.TotalTime;
            long started = Stopwatch.GetTimestamp();
            engines[round] = Time(engine, workload, engineOperations);
            wall += Stopwatch.GetElapsedTime(started).TotalSeconds;
            processor += Environment.CpuUsage.TotalTime - before;
            if (round % 2 != 0)
                ceilings[round] = Time(ceiling, workload, operations);
        }

        double[] ratios = [.. engines.Zip(ceilings, static (engine, ceiling) => ceiling / engine)];
        return new Throughput(Statistics.Median(engines), Statistics.Median(ceilings), Statistics.Median(ratios), ratios.Min(), ratios.Max(), processor.TotalSeconds / wall);
    }

    /// <summary>Latencies in microseconds, in blocks that take turns.</summary>
    public static (double[] Engine, double[] Ceiling) Latencies(Func<IWritePair, long> measure, IWritePair engine, IWritePair ceiling, TimeSpan time, TimeSpan sample)
    {
        const int Block = 200;
        var engines = new List<double>();
        var ceilings = new List<double>();
        Take(measure, engine, Block, [], sample);
        Take(measure, ceiling, Block, [], sample);
        long started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < time)
        {
            Take(measure, engine, Block, engines, sample);
            Take(measure, ceiling, Block, ceilings, sample);
        }

        return ([.. engines], [.. ceilings]);
    }

    private static void Take(Func<IWritePair, long> measure, IWritePair pair, int most, List<double> microseconds, TimeSpan sample)
    {
        long started = Stopwatch.GetTimestamp();
        for (int i = 0; i < most && Stopwatch.GetElapsedTime(started) < sample; i++)
            microseconds.Add(Statistics.Nanoseconds(measure(pair)) / 1000);
    }

    /// <summary>How many operations take about as long as one sample is to last.</summary>
    private static long Calibrate(IWritePair pair, Workload workload, TimeSpan sample)
    {
        // The first one may have to connect.
        pair.Write(workload, 1);
        for (long operations = 1; ; operations *= 2)
        {
            double seconds = Time(pair, workload, operations) * operations * workload.WritesPerOperation;
            if (seconds > sample.TotalSeconds / 4)
                return Math.Max(1, (long)(operations * sample.TotalSeconds / seconds));
        }
    }

    private static double Time(IWritePair pair, Workload workload, long operations)
    {
        long started = Stopwatch.GetTimestamp();
        pair.Write(workload, operations);
        return Stopwatch.GetElapsedTime(started).TotalSeconds / (operations * workload.WritesPerOperation);
    }
}
