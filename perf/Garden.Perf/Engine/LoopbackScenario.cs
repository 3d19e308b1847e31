using System.Diagnostics;

namespace Garden.Perf.Engine;

/// <summary>Loopback against memcpy: same thread, same addresses, same pattern, interleaved pairs.</summary>
internal static class LoopbackScenario
{
    private const int Pairs = 11;

    public static async Task RunAsync(Report report)
    {
        // Eight times the largest L3 met so far (32 MiB), over source and destination together.
        const long Bytes = 256L << 20;
        await using EnginePair pair = await EnginePair.CreateAsync(Bytes, counting: false, callerDriven: true);
        pair.SourceBuffer.Span(0, int.MaxValue & (int)(Bytes - 1)).Fill(1);
        pair.DestinationBuffer.Span(0, int.MaxValue & (int)(Bytes - 1)).Fill(2);
        Measure(report, pair, "loopback_64MiB", 64 << 20);
        Measure(report, pair, "loopback_64KiB", 64 << 10);
        Measure(report, pair, "loopback_4KiB", 4 << 10);
    }

    private static void Measure(Report report, EnginePair pair, string name, int page)
    {
        int count = (int)(pair.SourceBuffer.Length / page);
        int[] from = [.. Enumerable.Range(0, count)], to = [.. Enumerable.Range(0, count)];
        new Random(1).Shuffle(from);
        new Random(2).Shuffle(to);
        using PageList source = PageList.Create(from), destination = PageList.Create(to);
        double[] ratios = new double[Pairs], speeds = new double[Pairs];
        for (int i = -2; i < Pairs; i++)
        {
            double copy = Memcpy(pair, from, to, page);
            double engine = page >= 1 << 20 ? Singles(pair, from, to, page) : Paged(pair, source, destination, page);
            if (i < 0)
                continue;
            ratios[i] = copy / engine;
            speeds[i] = pair.SourceBuffer.Length / engine / 1e9;
        }

        report.Row(name, ("loopback_over_memcpy", Statistics.Median(ratios)), ("gb_per_second", Statistics.Median(speeds)), ("pairs", Pairs), ("bytes", pair.SourceBuffer.Length));
    }

    private static unsafe double Memcpy(EnginePair pair, int[] from, int[] to, int page)
    {
        long started = Stopwatch.GetTimestamp();
        // Safe: page numbers are below length / page.
        for (int i = 0; i < from.Length; i++)
            Buffer.MemoryCopy(pair.SourceBuffer.Pointer + ((long)from[i] * page), pair.DestinationBuffer.Pointer + ((long)to[i] * page), page, page);
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static double Singles(EnginePair pair, int[] from, int[] to, int page)
    {
        long started = Stopwatch.GetTimestamp();
        for (int i = 0; i < from.Length; i++)
            Drive(pair, pair.Sender.SubmitSingleWrite(pair.Source, (long)from[i] * page, pair.Destination, (long)to[i] * page, page, Immediate.FromNumber(2)));
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static double Paged(EnginePair pair, PageList source, PageList destination, int page)
    {
        long started = Stopwatch.GetTimestamp();
        const int Batch = 4096;
        for (int first = 0; first < source.Count; first += Batch)
        {
            Drive(pair, pair.Sender.Submit(new PagedWrites
            {
                Source = pair.Source.Handle,
                Destination = pair.Destination.Handle,
                Immediate = Immediate.FromNumber(2),
                First = first,
                Count = Math.Min(Batch, source.Count - first),
                PageLength = page,
                SourcePages = source.Handle,
                DestinationPages = destination.Handle,
                SourceStride = page,
                DestinationStride = page,
            }));
        }

        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static void Drive(EnginePair pair, Transfer transfer)
    {
        while (!transfer.IsCompleted)
            pair.Poll();
        transfer.GetResult();
    }
}
