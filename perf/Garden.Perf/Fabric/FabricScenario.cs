namespace Garden.Perf.Fabric;

/// <summary>Verification, latencies and throughput of one fabric, each row beside its ceiling.</summary>
internal sealed class FabricScenario(FabricChoice choice, Report report, int rounds, TimeSpan sample)
{
    private const int DefaultDepth = 64;

    /// <summary>A domain hands at most so many bytes of one peer to tcp; the ceiling has the same under way.</summary>
    private const long MostBytesUnderWay = 32L << 20;

    private static readonly long[] s_odd = [1, 7, 63, 4097, 65_537, 1_048_577, 16_777_213];

    /// <summary>Throughput of some lengths alone, each in operations of so many pages (0: single writes).</summary>
    public void RunRows(IReadOnlyList<long> lengths, IReadOnlyList<int> pages)
    {
        using var memory = new PairMemory();
        (EngineWrites engine, IWritePair ceiling) = choice.Open(memory, DefaultDepth);
        using (engine)
        using (ceiling)
        {
            WarmUp(engine, ceiling);
            Verify(memory, lengths, engine, ceiling);
            foreach (int count in pages)
            {
                foreach (long bytes in lengths.Where(bytes => bytes <= Workload.AreaBytes / Math.Max(1, count)))
                    Throughput(bytes, count, DepthOf(bytes), engine, ceiling);
            }
        }
    }

    /// <summary>Latencies of some lengths alone, from many samples.</summary>
    public void RunLatencies(IReadOnlyList<long> lengths)
    {
        using var memory = new PairMemory();
        (EngineWrites engine, IWritePair ceiling) = choice.Open(memory, DefaultDepth);
        using (engine)
        using (ceiling)
        {
            WarmUp(engine, ceiling);
            foreach (long bytes in lengths)
                Latencies(bytes, engine, ceiling, TimeSpan.FromSeconds(4));
        }
    }

    public void Run(bool quick)
    {
        using var memory = new PairMemory();
        (EngineWrites engine, IWritePair ceiling) = choice.Open(memory, DefaultDepth);
        using (engine)
        using (ceiling)
        {
            WarmUp(engine, ceiling);
            Verify(memory, s_odd, engine, ceiling);
            foreach (long bytes in (long[])(quick ? [8, 4096] : [8, 64, 512, 4096, 65_536, 1 << 20]))
                Latencies(bytes, engine, ceiling, TimeSpan.FromSeconds(quick ? 0.3 : 0.8));

            foreach (long bytes in (long[])(quick ? [8, 4096, 65_536, 1 << 20] : [8, 64, 512, 4096, 16_384, 65_536, 262_144, 1 << 20, 4 << 20, 16 << 20, 64 << 20]))
                Throughput(bytes, 0, DepthOf(bytes), engine, ceiling);
            foreach (long bytes in (long[])(quick ? [1024, 4096, 65_536] : [8, 1024, 4096, 16_384, 65_536]))
            {
                foreach (int pages in (int[])(quick ? [1024] : [1, 64, 1024]))
                    Throughput(bytes, pages, DepthOf(bytes), engine, ceiling);
            }
        }

        if (choice.Name == "verbs")
            Chains(memory, isWarm: true);
        foreach (int depth in (int[])(quick ? [] : [1, 4, 16, 256, 1024]))
        {
            (EngineWrites deep, IWritePair deepCeiling) = choice.Open(memory, depth);
            using (deep)
            using (deepCeiling)
            {
                Throughput(4096, 0, depth, deep, deepCeiling);
                Throughput(4096, 1024, depth, deep, deepCeiling);
                Throughput(65_536, 0, Math.Min(depth, DepthOf(65_536)), deep, deepCeiling);
            }
        }
    }

    /// <summary>What a doorbell for sixteen writes is worth against one for each, alone.</summary>
    public void RunChains()
    {
        if (choice.Name != "verbs")
            throw new FabricException($"{choice.Name} has no chains; --chains is for --fabric verbs.");
        using var memory = new PairMemory();
        Chains(memory, isWarm: false);
    }

    /// <summary>Both through the engine.</summary>
    private void Chains(PairMemory memory, bool isWarm)
    {
        using EngineWrites sixteen = choice.OpenEngine(memory, DefaultDepth), one = (choice with { ChainLength = 1 }).OpenEngine(memory, DefaultDepth);
        if (!isWarm)
            WarmUp(sixteen, one);
        foreach (long bytes in (long[])[8, 1024, 4096])
        {
            using var workload = new Workload(bytes, 1024, DefaultDepth);
            PairedMeasurement.Throughput measured = PairedMeasurement.Measure(sixteen, one, workload, rounds, sample);
            report.Line(
                "chain",
                ("fabric", choice.Name),
                ("bytes", bytes),
                ("length", choice.ChainLength),
                ("mop_s", 1e-6 / measured.Engine),
                ("single_mop_s", 1e-6 / measured.Ceiling),
                ("ratio", measured.Ratio));
        }
    }

    private static int DepthOf(long bytes) => (int)Math.Clamp(MostBytesUnderWay / bytes, 1, DefaultDepth);

    private static void WarmUp(IWritePair engine, IWritePair ceiling)
    {
        using var singles = new Workload(64, 0, DefaultDepth);
        using var pages = new Workload(64, 1024, DefaultDepth);
        for (var warmUp = new WarmUp(); !warmUp.IsOver();)
        {
            foreach (IWritePair pair in (IWritePair[])[engine, ceiling])
            {
                pair.Write(singles, 500);
                pair.Write(pages, 2);
                pair.OneWay(8);
                pair.RoundTrip(8);
            }
        }
    }

    private void Verify(PairMemory memory, IReadOnlyList<long> lengths, params ReadOnlySpan<IWritePair> pairs)
    {
        long bytes = 0;
        foreach (IWritePair pair in pairs)
        {
            foreach (long odd in lengths)
            {
                using var singles = new Workload(odd, 0, DepthOf(odd));
                memory.Verify(pair, singles);
                bytes += odd * singles.Cycle;
                if (odd > 65_536)
                    continue;
                using var pages = new Workload(odd, odd <= 4097 ? 1024 : 256, DepthOf(odd));
                memory.Verify(pair, pages);
                bytes += odd * pages.Pages;
            }
        }

        report.Row("verify", ("fabric", choice.Name), ("sizes", string.Join(' ', lengths)), ("bytes_compared", bytes), ("area_bytes", Workload.AreaBytes));
    }

    private void Latencies(long bytes, IWritePair engine, IWritePair ceiling, TimeSpan each)
    {
        Latency("one_way", bytes, pair => pair.OneWay(bytes), engine, ceiling, each);
        Latency("round_trip", bytes, pair => pair.RoundTrip(bytes), engine, ceiling, each);
    }

    private void Latency(string name, long bytes, Func<IWritePair, long> measure, IWritePair engine, IWritePair ceiling, TimeSpan each)
    {
        (double[] engines, double[] ceilings) = PairedMeasurement.Latencies(measure, engine, ceiling, each, sample);
        report.Line(
            "latency",
            ("fabric", choice.Name),
            ("what", name),
            ("bytes", bytes),
            ("p50_us", Statistics.Percentile(engines, 0.5)),
            ("p99_us", Statistics.Percentile(engines, 0.99)),
            ("p99_9_us", Statistics.Percentile(engines, 0.999)),
            ("ceiling_p50_us", Statistics.Percentile(ceilings, 0.5)),
            ("ceiling_p99_us", Statistics.Percentile(ceilings, 0.99)),
            ("ceiling_p99_9_us", Statistics.Percentile(ceilings, 0.999)),
            ("added_p50_us", Statistics.Percentile(engines, 0.5) - Statistics.Percentile(ceilings, 0.5)),
            ("samples", engines.Length));
    }

    private void Throughput(long bytes, int pages, int depth, IWritePair engine, IWritePair ceiling)
    {
        using var workload = new Workload(bytes, pages, depth);
        PairedMeasurement.Throughput measured = PairedMeasurement.Measure(engine, ceiling, workload, rounds, sample);
        report.Line(
            "throughput",
            ("fabric", choice.Name),
            ("what", workload.Kind),
            ("bytes", bytes),
            ("pages", pages),
            ("depth", depth),
            ("gb_s", bytes / measured.Engine / 1e9),
            ("mop_s", 1e-6 / measured.Engine),
            ("ceiling_gb_s", bytes / measured.Ceiling / 1e9),
            ("ceiling_mop_s", 1e-6 / measured.Ceiling),
            ("ratio", measured.Ratio),
            ("ratio_low", measured.Low),
            ("ratio_high", measured.High),
            ("cpu_percent", 100 * measured.Cpu));
    }
}
