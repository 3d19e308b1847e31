using System.Diagnostics;

namespace Garden.Perf.Engine;

/// <summary>Ring, worker, domain group and a counting NIC: how many writes and how many operations a second one producer gets through.</summary>
internal static class PostScenario
{
    private const int Window = 256;

    public static async Task RunAsync(Report report)
    {
        await using EnginePair pair = await EnginePair.CreateAsync(16 << 20, counting: true, callerDriven: false, WaitStrategy.LowLatency);
        using PageList source = ExpandScenario.ScatteredPages(1), destination = ExpandScenario.ScatteredPages(2);
        ImmCounter counter = pair.Receiver.AllocateCounter();
        var paged = new PagedWrites
        {
            Source = pair.Source.Handle,
            Destination = pair.Destination.Handle,
            Immediate = counter.Immediate,
            Count = source.Count,
            PageLength = 4096,
            SourcePages = source.Handle,
            DestinationPages = destination.Handle,
            SourceStride = 4096,
            DestinationStride = 4096,
        };
        var single = new SingleWrite(pair.Source.Handle, 0, pair.Destination.Handle, 0, 64, counter.Immediate);
        var ring = new Transfer[Window];
        Submit(pair, in paged, 2000, 8, ring);
        Submit(pair, in single, 200_000, Window, ring);

        double[] posts = new double[9], operations = new double[9];
        for (int i = 0; i < posts.Length; i++)
        {
            long before = pair.Counting!.Domains[0].Posted;
            double seconds = Submit(pair, in paged, 6000, 8, ring);
            posts[i] = (pair.Counting.Domains[0].Posted - before) / seconds;
            operations[i] = 1_000_000 / Submit(pair, in single, 1_000_000, Window, ring);
        }

        report.Row(
            "post",
            ("post_writes_per_second", Statistics.Median(posts)),
            ("single_operations_per_second", Statistics.Median(operations)),
            ("window", Window),
            ("nic_checksum", pair.Counting!.Domains[0].Checksum));

        long allocated = 0;
        for (int round = 0; round < 2; round++)
        {
            // The first round is warm-up for the runtime itself, which makes an object of 48 bytes once.
            long allocatedBefore = GC.GetTotalAllocatedBytes(precise: true);
            Submit(pair, in single, 1_000_000, Window, ring);
            Submit(pair, in paged, 10_000, 8, ring);
            allocated = GC.GetTotalAllocatedBytes(precise: true) - allocatedBefore;
        }

        report.Row("allocations", ("operations", 1_010_000), ("allocated_bytes", allocated), ("allocated_bytes_per_operation", (double)allocated / 1_010_000));
        counter.Dispose(drainConfirmed: true);
    }

    private static double Submit<TPlan>(EnginePair pair, in TPlan plan, int count, int window, Transfer[] ring)
        where TPlan : unmanaged, ITransferPlan<TPlan>
    {
        long started = Stopwatch.GetTimestamp();
        for (int i = 0; i < count; i++)
        {
            int place = i % window;
            if (i >= window)
                Wait(ring[place]);
            ring[place] = pair.Sender.Submit(in plan);
        }

        for (int i = Math.Max(0, count - window); i < count; i++)
            Wait(ring[i % window]);
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static void Wait(Transfer transfer)
    {
        while (!transfer.IsCompleted)
            Thread.SpinWait(1);
        transfer.GetResult();
    }
}
