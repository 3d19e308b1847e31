using System.Diagnostics;

namespace Garden.Perf.Engine;

/// <summary>Expansion of a paged plan of scattered pages through the worker's indirect call.</summary>
internal static unsafe class ExpandScenario
{
    private const int Pages = 1024;
    private const int BatchSize = 64;

    public static void Run(Report report)
    {
        using PageList source = ScatteredPages(1), destination = ScatteredPages(2);
        var plan = new PagedWrites
        {
            Immediate = Immediate.ForCounter(1, 1),
            Count = Pages,
            PageLength = 4096,
            SourcePages = source.Handle,
            DestinationPages = destination.Handle,
            SourceStride = 4096,
            DestinationStride = 4096,
        };
        PlanOperations* operations = PlanOperations.Of<PagedWrites>.Instance;
        WriteDescriptor* batch = stackalloc WriteDescriptor[BatchSize];
        long writes = 0;
        double[] rates = new double[21];
        for (int round = -10; round < rates.Length; round++)
        {
            long started = Stopwatch.GetTimestamp();
            long before = writes;
            for (int i = 0; i < 5000; i++)
            {
                PlanCursor cursor = default;
                while (!cursor.IsCompleted)
                    writes += operations->Expand(&plan, &cursor, batch, BatchSize);
            }

            if (round >= 0)
                rates[round] = (writes - before) / Stopwatch.GetElapsedTime(started).TotalSeconds;
        }

        report.Row("expand", ("pages", Pages), ("expand_writes_per_second", Statistics.Median(rates)));
    }

    /// <summary>A permutation in which no two neighbours are adjacent, so that nothing coalesces.</summary>
    public static PageList ScatteredPages(int seed, int count = Pages)
    {
        int[] pages = [.. Enumerable.Range(0, count)];
        new Random(seed).Shuffle(pages);
        return PageList.Create(pages);
    }
}
