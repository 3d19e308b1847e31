using System.Diagnostics;
using Garden.Experts;
using Garden.Fabric.Loopback;
using Garden.Kernels;
using Garden.Kernels.Experts;

namespace Garden.Perf.Experts;

/// <summary>
/// The network's side of a dispatch on a NIC that only counts: from the flag that a kernel raises to the first write and to the last of
/// 56, for DeepSeek-V3 over 64 ranks, 8 a node. The flag is raised by another thread, as a device would, with no call that wakes anyone.
/// </summary>
internal static class ExpertPostScenario
{
    private const int Ranks = 64;
    private const int Samples = 2000;

    public static async Task RunAsync(Report report)
    {
        using CpuDevice device = KernelDevice.OpenCpu();
        using var kernels = new ExpertKernels<DeepSeekFp8>(device);
        var group = ExpertGroup.Of<DeepSeekFp8>(Ranks, 8, 128, 1);
        var network = new LoopbackNetwork();
        var counting = new CountingFabric(new LoopbackFabric(network, new LoopbackOptions { Name = "rank0" }));
        await using TransferEngine engine = Engine(builder => builder.UseFabric(counting));
        await using TransferEngine others = Engine(builder => builder.UseLoopback(network, "others"));
        using var rank = new ExpertRank<DeepSeekFp8>(kernels, group, 0);
        // One memory stands for all others: the NIC moves nothing.
        using DeviceBuffer window = device.Allocate(rank.Window.Length), combine = device.Allocate(rank.CombineRegion.Length);
        await using BufferRegistration windowRegion = window.RegisterWith(others), combineRegion = combine.RegisterWith(others);
        await using var exchange = new ExpertExchange<DeepSeekFp8>(rank, engine);
        await exchange.ConnectAsync(Enumerable.Range(8, Ranks - 8).Select(peer => new ExpertAddress(
            peer, DeepSeekFp8.RoutingHash, group, others.Address, windowRegion.Region.Export(), combineRegion.Region.Export())));
        var first = new double[Samples];
        var last = new double[Samples];
        double[] hop = Measure(counting.Domains[0], exchange, first, last);
        report.Row(
            "experts-post",
            ("peers", Ranks - 8),
            ("samples", Samples),
            ("first_post_p50_us", Statistics.Percentile(first, 0.5)),
            ("first_post_p99_us", Statistics.Percentile(first, 0.99)),
            ("all_posted_p50_us", Statistics.Percentile(last, 0.5)),
            ("all_posted_p99_us", Statistics.Percentile(last, 0.99)),
            ("goal_first_us", 3.0),
            ("goal_all_us", 8.5),
            ("core_hop_p50_us", Statistics.Percentile(hop, 0.5)),
            ("writes_posted", counting.Domains[0].Posted));
    }

    private static TransferEngine Engine(Func<TransferEngineBuilder, TransferEngineBuilder> use) =>
        use(TransferEngine.CreateBuilder()).Configure(static options => options.WaitStrategy = WaitStrategy.LowLatency).Build();

    /// <summary>Raises the flag of staged rows as the device does, and waits for 56 writes to have been posted.</summary>
    private static unsafe double[] Measure(CountingDomain nic, ExpertExchange<DeepSeekFp8> exchange, double[] first, double[] last)
    {
        nic.Timestamps = true;
        ProgressWatcher watcher = exchange.RowsStaged;
        watcher.ArmForDevice();
        var flag = (ulong*)watcher.Address;
        // Safe: a post for every rank of the group.
        var posts = (ExpertPost*)exchange.Posts;
        for (int peer = 8; peer < Ranks; peer++)
            posts[peer] = new ExpertPost { DispatchLine = 0, DispatchRows = 16 };
        // As first compiled, the worker's methods are about eight times slower.
        var warmUp = new WarmUp();
        bool isWarm = false;
        for (int sample = 0; sample < first.Length; sample++)
        {
            if (!isWarm && !(isWarm = warmUp.IsOver()))
                sample = -1;
            long before = nic.Posted;
            nic.FirstPost = 0;
            long start = Stopwatch.GetTimestamp();
            Volatile.Write(ref *flag, *flag + 1);
            while (nic.Posted < before + Ranks - 8)
            {
                if (Stopwatch.GetElapsedTime(start) > TimeSpan.FromSeconds(5))
                    throw new TimeoutException($"{nic.Posted - before} of {Ranks - 8} writes were posted in 5 s.");
            }

            if (sample < 0)
                continue;
            first[sample] = Statistics.Nanoseconds(nic.FirstPost - start) / 1e3;
            last[sample] = Statistics.Nanoseconds(nic.LastPosted - start) / 1e3;
        }

        watcher.ArmForDevice(false);
        return Hop();
    }

    /// <summary>Half a round trip of one cache line between two threads, of the same run.</summary>
    private static double[] Hop()
    {
        long ping = 0, pong = 0;
        bool stop = false;
        var echo = new Thread(() =>
        {
            long seen = 0;
            while (!Volatile.Read(ref stop))
            {
                if (Volatile.Read(ref ping) is var value && value != seen)
                    Volatile.Write(ref pong, seen = value);
            }
        });
        echo.Start();
        var times = new double[Samples];
        for (int i = 0; i < times.Length; i++)
        {
            long start = Stopwatch.GetTimestamp();
            Volatile.Write(ref ping, i + 1);
            while (Volatile.Read(ref pong) != i + 1 && Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(5))
            {
            }

            times[i] = Statistics.Nanoseconds(Stopwatch.GetTimestamp() - start) / 2e3;
        }

        Volatile.Write(ref stop, true);
        echo.Join();
        return times;
    }
}
