using System.Diagnostics;
using System.Globalization;
using Garden.Fabric.Loopback;
using Garden.Kernels;

namespace Garden.Perf.Gpu;

/// <summary>A kernel raises a watcher, the engine's handler answers, the kernel sees the answer: by the GPU's clock, beside a bare loop on the host.</summary>
internal static class WatcherScenario
{
    private const int RoundsPerLaunch = 10_000;
    private const int Launches = 10;
    private const int Looks = 50_000_000;

    public static async Task RunAsync(GpuBench bench, GpuTable table)
    {
        using DeviceKernel<PingArgs> ping = bench.Device.Load<PingArgs>(PingKernel.Run);
        using MappedBuffer flags = bench.Device.AllocateMapped(4096);
        using DeviceBuffer samples = bench.Device.Allocate((RoundsPerLaunch * 8) + 16);
        double[] bare = Bare(bench, ping, flags, samples);
        table.Add("flag round trip GPU to bare host loop, p50 / p99", Microseconds(bare));
        foreach ((string name, WaitStrategy wait, bool callerDriven) in new[] { ("worker, BusyPoll", WaitStrategy.BusyPoll, false), ("worker, Balanced", WaitStrategy.Balanced, false), ("Poll loop of the caller", WaitStrategy.Balanced, true) })
        {
            double[] watched = await WatchedAsync(bench, ping, flags, samples, wait, callerDriven);
            double p50 = Statistics.Percentile(watched, 0.5), p99 = Statistics.Percentile(watched, 0.99);
            table.Add($"GPU to watcher's handler and back, {name}, p50 / p99", Microseconds(watched), Microseconds(bare), $"{p50 / Statistics.Percentile(bare, 0.5):0.00}", $"<= 5.5 / 10 us{(p50 > 5.5 || p99 > 10 ? " missed" : "")}");
            if (wait == WaitStrategy.BusyPoll)
                Histogram(watched);
        }

        await GraphAsync(bench, table);
    }

    private static unsafe double[] Bare(GpuBench bench, DeviceKernel<PingArgs> ping, MappedBuffer flags, DeviceBuffer samples)
    {
        bool stop = false;
        nint at = (nint)flags.Pointer;
        // Safe: both flags are inside the mapped page, which outlives the thread.
        var echo = new Thread(() =>
        {
            ulong* from = (ulong*)at, to = (ulong*)(at + 128);
            ulong seen = 0;
            while (!Volatile.Read(ref stop))
            {
                ulong value = Volatile.Read(ref *from);
                if (value != seen)
                    Volatile.Write(ref *to, seen = value);
            }
        });
        echo.Start();
        try
        {
            return Rounds(bench, ping, samples, (ulong)flags.DeviceAddress, (ulong)flags.DeviceAddress + 128);
        }
        finally
        {
            Volatile.Write(ref stop, true);
            echo.Join();
        }
    }

    private static async Task<double[]> WatchedAsync(GpuBench bench, DeviceKernel<PingArgs> ping, MappedBuffer flags, DeviceBuffer samples, WaitStrategy wait, bool callerDriven)
    {
        await using TransferEngine engine = TransferEngine.CreateBuilder()
            .UseLoopback(new LoopbackNetwork(), "watched")
            .Configure(options =>
            {
                options.WaitStrategy = wait;
                options.CallerDriven = callerDriven;
            })
            .Build();
        nint pong = Answer(flags);
        using ProgressWatcher watcher = engine.AllocateProgressWatcher((_, reached) =>
        {
            Write(pong, reached);
            return reached;
        });
        using var progress = new DeviceProgress(bench.Device, watcher);
        Write(pong, 0);
        bool stop = false;
        var driver = new Thread(() =>
        {
            while (!Volatile.Read(ref stop))
                engine.Poll();
        });
        if (callerDriven)
            driver.Start();
        try
        {
            return Rounds(bench, ping, samples, (ulong)progress.DeviceAddress, (ulong)flags.DeviceAddress + 256);
        }
        finally
        {
            Volatile.Write(ref stop, true);
            if (callerDriven)
                driver.Join();
        }

        static unsafe nint Answer(MappedBuffer flags) => (nint)flags.Pointer + 256;

        static unsafe void Write(nint at, ulong value) => Volatile.Write(ref *(ulong*)at, value);
    }

    /// <summary>Microseconds of all rounds; the clock's rate is measured against the GPU's nanosecond timer in the same launch.</summary>
    private static double[] Rounds(GpuBench bench, DeviceKernel<PingArgs> ping, DeviceBuffer samples, ulong pingAddress, ulong pongAddress)
    {
        var times = new List<double>();
        var raw = new byte[samples.Length];
        for (int launch = 0; launch < Launches; launch++)
        {
            ping.Launch(bench.Stream, new LaunchShape(1, 1), new PingArgs
            {
                Ping = pingAddress,
                Pong = pongAddress,
                Samples = (ulong)samples.Address,
                First = (ulong)launch * RoundsPerLaunch,
                Rounds = RoundsPerLaunch,
                Looks = Looks,
            });
            bench.Stream.Synchronize();
            samples.Read(raw);
            double perCycle = BitConverter.ToUInt64(raw, 0) / 1e3 / BitConverter.ToUInt64(raw, 8);
            for (int i = 0; i < RoundsPerLaunch; i++)
            {
                ulong cycles = BitConverter.ToUInt64(raw, 16 + (i * 8));
                if (cycles == ulong.MaxValue)
                    throw new TimeoutException($"Round {i} of launch {launch} was not answered.");
                times.Add(cycles * perCycle);
            }
        }

        return [.. times];
    }

    /// <summary>From the replay's call to the handler, by the host's clock.</summary>
    private static async Task GraphAsync(GpuBench bench, GpuTable table)
    {
        await using TransferEngine engine = TransferEngine.CreateBuilder().UseLoopback(new LoopbackNetwork(), "graphs").Configure(static options => options.WaitStrategy = WaitStrategy.BusyPoll).Build();
        long at = 0;
        using ProgressWatcher watcher = engine.AllocateProgressWatcher((_, reached) =>
        {
            Volatile.Write(ref at, Stopwatch.GetTimestamp());
            return reached;
        });
        using var progress = new DeviceProgress(bench.Device, watcher);
        bench.Stream.BeginCapture();
        progress.Signal(bench.Stream);
        using DeviceGraph graph = bench.Stream.EndCapture();
        var times = new double[2000];
        for (int i = 0; i < times.Length; i++)
        {
            Volatile.Write(ref at, 0);
            long start = Stopwatch.GetTimestamp();
            graph.Replay(bench.Stream);
            while (Volatile.Read(ref at) == 0 && Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(5))
            {
            }

            times[i] = Statistics.Nanoseconds(Volatile.Read(ref at) - start) / 1e3;
        }

        bench.Stream.Synchronize();
        table.Add("replay of a graph with one signal to the handler, p50 / p99", Microseconds(times));
    }

    private static string Microseconds(double[] times) => string.Create(CultureInfo.InvariantCulture, $"{Statistics.Percentile(times, 0.5):0.00} / {Statistics.Percentile(times, 0.99):0.00} us");

    private static void Histogram(double[] times)
    {
        Console.WriteLine("rounds by microseconds:");
        foreach (IGrouping<double, double> bucket in times.GroupBy(static time => time < 10 ? Math.Floor(time * 2) / 2 : time < 100 ? 10 : 100).OrderBy(static bucket => bucket.Key))
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  from {bucket.Key,5:0.0}: {bucket.Count(),7}"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  p99.9 {Statistics.Percentile(times, 0.999):0.00}, most {times.Max():0.00}"));
    }
}
