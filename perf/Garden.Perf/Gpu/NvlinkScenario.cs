using System.Diagnostics;
using System.Globalization;
using Garden.Kernels;
using Garden.Kernels.Nvlink;

namespace Garden.Perf.Gpu;

/// <summary>Writes over the nvlink fabric beside the driver's copy between the same buffers; GB/s are bytes copied, by the host's clock.</summary>
internal static class NvlinkScenario
{
    /// <summary>Of every row, also of those of <see cref="NvlinkKvScenario"/>.</summary>
    public static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1.5);

    private const long LongWrite = 64L << 20;
    private const int UnderWay = 16;
    private const int Rounds = 5000;

    /// <summary>What kernels' stores reach between two H200 over NVLink (measured earlier, with two GPUs): the pace a host must keep up with.</summary>
    private const double LinkBytesPerNanosecond = 369;

    public static async Task RunAsync(GpuBench bench, GpuTable table, KernelDevice receiver, long bytes)
    {
        await SingleWritesAsync(bench, table, receiver);
        foreach ((int length, int copyEngine) in new[] { (4096, 1 << 20), (14_336, 1 << 20), (73_728, 1 << 20), (524_288, 1 << 20), (524_288, 1 << 16) })
            await PagesAsync(bench, table, receiver, Math.Min(bytes, 1L << 30), length, copyEngine);
        await RoundTripsAsync(bench, table, receiver);
    }

    private static async Task SingleWritesAsync(GpuBench bench, GpuTable table, KernelDevice receiver)
    {
        await using NvlinkPair pair = await NvlinkPair.CreateAsync(bench.Device, receiver, LongWrite);
        bench.Hash(pair.SourceBuffer);
        void write(int count)
        {
            var posted = new Transfer[count];
            for (int i = 0; i < count; i++)
                posted[i] = pair.Sender.SubmitSingleWrite(pair.Source.Region, 0, pair.Forth, 0, LongWrite, Immediate.FromNumber(1));
            foreach (Transfer transfer in posted)
                NvlinkPair.Await(transfer);
        }

        void copy(int count)
        {
            for (int i = 0; i < count; i++)
                bench.Stream.Copy(pair.DestinationBuffer.Address, pair.SourceBuffer.Address, LongWrite);
            bench.Stream.Synchronize();
        }

        foreach (int count in new[] { 1, UnderWay })
        {
            // In turns: a machine's clocks change with its load.
            (double written, double copied) = InTurns(() => write(count), () => copy(count));
            string what = count == 1 ? "nvlink, one write of 64 MiB" : $"nvlink, writes of 64 MiB, {count} under way";
            table.Throughput(what, count * LongWrite / written / 1e9, count * LongWrite / copied / 1e9, 0.95);
        }

        bench.Verify("nvlink, 64 MiB", pair.DestinationBuffer, [(0, 0, (int)LongWrite)]);
    }

    private static async Task PagesAsync(GpuBench bench, GpuTable table, KernelDevice receiver, long bytes, int length, int copyEngine)
    {
        int count = (int)(bytes / length);
        await using NvlinkPair pair = await NvlinkPair.CreateAsync(bench.Device, receiver, (long)count * length, new NvlinkOptions { CopyEngineBytes = copyEngine });
        int[] from = [.. Enumerable.Range(0, count)], to = [.. from];
        var random = new Random(length);
        random.Shuffle(from);
        random.Shuffle(to);
        bench.Hash(pair.SourceBuffer);
        bench.Stream.Synchronize();
        (double written, double copied) = InTurns(
            () => NvlinkPair.Await(pair.Sender.SubmitPagedWrites(pair.Source.Region, new PageSpan(from, length), pair.Forth, new PageSpan(to, length), length, Immediate.FromNumber(2))),
            () =>
            {
                bench.Stream.Copy(pair.DestinationBuffer.Address, pair.SourceBuffer.Address, pair.SourceBuffer.Length);
                bench.Stream.Synchronize();
            });
        // The driver's copy came last in each turn: once more, and then look.
        receiver.DefaultStream.Fill(pair.DestinationBuffer.Address, 0xCD, pair.DestinationBuffer.Length);
        receiver.DefaultStream.Synchronize();
        NvlinkPair.Await(pair.Sender.SubmitPagedWrites(pair.Source.Region, new PageSpan(from, length), pair.Forth, new PageSpan(to, length), length, Immediate.FromNumber(2)));
        bench.Verify($"nvlink, pages of {length} B", pair.DestinationBuffer, from.Zip(to).Select(pages => ((long)pages.First * length, (long)pages.Second * length, length)));
        table.Throughput($"nvlink, {count} pages of {length} B by {(length < copyEngine ? "kernel" : "copy engine")}", pair.SourceBuffer.Length / written / 1e9, pair.SourceBuffer.Length / copied / 1e9, 0);
        double nanoseconds = written * 1e9 / count, link = length / LinkBytesPerNanosecond;
        table.Add(
            $"  each of {length} B",
            string.Create(CultureInfo.InvariantCulture, $"{nanoseconds:0.0} ns"),
            string.Create(CultureInfo.InvariantCulture, $"NVLink takes {link:0.0} ns"),
            string.Create(CultureInfo.InvariantCulture, $"{link / nanoseconds:0.000}"));
    }

    /// <summary>One thread submits and watches; both workers poll; the receiver's worker answers from its counter's callback.</summary>
    private static async Task RoundTripsAsync(GpuBench bench, GpuTable table, KernelDevice receiver)
    {
        await using NvlinkPair pair = await NvlinkPair.CreateAsync(bench.Device, receiver, 4096);
        using ImmCounter asked = pair.Receiver.GetCounter(11), answered = pair.Sender.GetCounter(12);
        foreach ((string what, int length) in new[] { ("8-byte write with immediate", 8), ("immediate alone", 0) })
        {
            long before = answered.Value;
            asked.OnCount(null);
            var back = new SingleWrite(pair.Destination.Region.Handle, 0, pair.Back.Handle, 0, length, Immediate.FromNumber(12));
            long told = asked.Value;
            asked.OnCount(count =>
            {
                if (count == told)
                    return;
                told = count;
                if (pair.Receiver.TrySubmit(back, default, out Transfer answer))
                    answer.Forget();
            });
            var times = new double[Rounds];
            for (int i = -20_000; i < Rounds; i++)
            {
                long started = Stopwatch.GetTimestamp();
                pair.Sender.SubmitSingleWrite(pair.Source.Region, 0, pair.Forth, 0, length, Immediate.FromNumber(11)).Forget();
                before++;
                while (answered.Value < before)
                {
                    if (Stopwatch.GetElapsedTime(started) > TimeSpan.FromSeconds(10))
                        throw new TimeoutException($"{what}: round {i} was not answered.");
                }

                if (i >= 0)
                    times[i] = Statistics.Nanoseconds(Stopwatch.GetTimestamp() - started) / 1e3;
            }

            asked.OnCount(null);
            table.Add($"nvlink, {what}, there and back, p50 / p99", string.Create(CultureInfo.InvariantCulture, $"{Statistics.Percentile(times, 0.5):0.0} / {Statistics.Percentile(times, 0.99):0.0} us"));
        }
    }

    private static (double First, double Second) InTurns(Action first, Action second)
    {
        var firsts = new List<double>();
        var seconds = new List<double>();
        // Until the optimised code runs: tiers come up some hundred milliseconds after the last new method.
        for (long began = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(began) < WarmUp;)
        {
            first();
            second();
        }

        for (int i = 0; i < GpuBench.Repetitions; i++)
        {
            firsts.Add(Seconds(first));
            seconds.Add(Seconds(second));
        }

        return (Statistics.Median(firsts), Statistics.Median(seconds));

        static double Seconds(Action work)
        {
            long started = Stopwatch.GetTimestamp();
            work();
            return Stopwatch.GetElapsedTime(started).TotalSeconds;
        }
    }
}
