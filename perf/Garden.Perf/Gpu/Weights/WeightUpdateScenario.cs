using System.Diagnostics;
using System.Globalization;
using Garden.Kernels;
using Garden.Kernels.Weights;
using Garden.Weights;
using WeightSync;

namespace Garden.Perf.Gpu;

/// <summary>
/// Updates of Llama-3-8B, 16 GB of bfloat16 to FP8 with fused and tensor-parallel tensors, over nvlink: verified once by hashes and against
/// the CPU's conversion, then timed beside what each stage takes alone.
/// </summary>
internal static class WeightUpdateScenario
{
    private const int Rounds = 9;
    private const long PinnedBytes = 2L << 30;
    private const double Goal = 0.85;

    /// <param name="convert">GB/s read and written by the conversion alone.</param>
    public static async Task RunAsync(GpuBench bench, GpuTable table, KernelDevice receiver, double convert)
    {
        foreach ((int trainers, int inference) in new[] { (1, 1), (2, 2) })
            await RunAsync(bench, table, receiver, convert, trainers, inference, null, 0);
        using MappedBuffer pinned = bench.Device.AllocateMapped(PinnedBytes);
        Fill(bench, pinned);
        double load = Load(bench, pinned);
        // Any tensor is some part of the pinned memory: as many bytes cross the bus as would from 16 GB of it.
        using var source = new DeviceWeightSource(bench.Device, (tensor, holding) => AddressIn(pinned) + (nint)(tensor * 7919L * 256 % (PinnedBytes - holding.Bytes) & ~255L));
        await RunAsync(bench, table, receiver, convert, 1, 1, source, load);
    }

    private static async Task RunAsync(GpuBench bench, GpuTable table, KernelDevice receiver, double convert, int trainers, int inference, IWeightSource? source, double load)
    {
        string name = $"Llama-3-8B, fsdp={trainers} to tp={inference}{(source is null ? "" : ", from pinned host memory")}";
        await using (WeightUpdateRanks verified = await WeightUpdateRanks.CreateAsync(bench.Device, receiver, trainers, inference, verify: true, source))
        {
            verified.Trainers.ForEach(tensors => WeightConversionScenario.Fill(bench, tensors));
            long began = Stopwatch.GetTimestamp();
            await verified.UpdateAsync();
            double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
            (int tensors, long bytes) = WeightUpdateCheck.Run(verified);
            table.Add($"{name}, verified", string.Create(CultureInfo.InvariantCulture, $"{seconds:0.00} s"), $"{tensors} tensors, {bytes >> 20} MiB = CPU's", "", "all hashes equal");
        }

        await using WeightUpdateRanks ranks = await WeightUpdateRanks.CreateAsync(bench.Device, receiver, trainers, inference, verify: false, source);
        ranks.Trainers.ForEach(tensors => WeightConversionScenario.Fill(bench, tensors));
        double copy = Copy(bench, ranks.Trainers[0], ranks.Receivers[0]);
        WeightStageTimes[] times = [];
        var totals = new List<double>();
        // Until the optimised code runs, then the median.
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < NvlinkScenario.WarmUp)
            await ranks.UpdateAsync();
        for (int round = 0; round < Rounds; round++)
        {
            long began = Stopwatch.GetTimestamp();
            times = await ranks.UpdateAsync();
            totals.Add(Stopwatch.GetElapsedTime(began).TotalSeconds);
        }

        double total = Statistics.Median(totals), written = times.Sum(static time => (double)time.BytesWritten), converted = WeightUpdateCheck.ConvertedElements(ranks);
        (string Name, double Seconds)[] stages =
        [
            ("load", source is null ? 0 : ranks.Meshes.TrainerBytes * trainers / load / 1e9),
            ("convert", 3 * converted / convert / 1e9),
            ("write", written / copy / 1e9),
        ];
        (string slowest, double ceiling) = stages.MaxBy(static stage => stage.Seconds);
        double ratio = ceiling / total, memory = stages[1].Seconds + stages[2].Seconds;
        table.Add(
            $"{name}, {written / 1e9:0.0} GB written",
            string.Create(CultureInfo.InvariantCulture, $"{total * 1e3:0.0} ms, {written / total / 1e9:0} GB/s"),
            string.Create(CultureInfo.InvariantCulture, $"slowest: {slowest} {ceiling * 1e3:0.0} ms"),
            string.Create(CultureInfo.InvariantCulture, $"{ratio:0.000}"),
            $">= {Goal:0.00}{(ratio < Goal ? " missed" : "")}");
        table.Add($"  each stage alone", string.Join(", ", stages.Where(static stage => stage.Seconds != 0).Select(static stage => string.Create(CultureInfo.InvariantCulture, $"{stage.Name} {stage.Seconds * 1e3:0.0}"))) + " ms");
        if (source is null)
            table.Add("  convert and write one after the other (one memory)", string.Create(CultureInfo.InvariantCulture, $"{memory * 1e3:0.0} ms"), "", string.Create(CultureInfo.InvariantCulture, $"{memory / total:0.000}"));
        table.Add("  stages of trainer 0 in the last round", string.Create(CultureInfo.InvariantCulture, $"load {times[0].Load.TotalMilliseconds:0.0}, assemble {times[0].Assemble.TotalMilliseconds:0.0}, write {times[0].Write.TotalMilliseconds:0.0}, barrier {times[0].Barrier.TotalMilliseconds:0.0} ms"));
    }

    /// <summary>GB/s of the driver's copies between the ranks' own buffers.</summary>
    private static double Copy(GpuBench bench, DeviceBuffer source, DeviceBuffer destination)
    {
        const long Piece = 64L << 20;
        const int Pieces = 16;
        return Piece * Pieces / 1e9 / bench.Time(() =>
        {
            for (int i = 0; i < Pieces; i++)
                bench.Stream.Copy(destination.Address + (nint)(i * Piece), source.Address + (nint)(i * Piece), Piece);
        });
    }

    private static double Load(GpuBench bench, MappedBuffer pinned)
    {
        using DeviceBuffer target = bench.Allocate(pinned.Length);
        return pinned.Length / 1e9 / bench.Time(() => bench.Stream.Copy(target.Address, AddressIn(pinned), pinned.Length), 5);
    }

    private static unsafe nint AddressIn(MappedBuffer pinned) => (nint)pinned.Pointer;

    private static void Fill(GpuBench bench, MappedBuffer pinned)
    {
        using DeviceBuffer values = bench.Allocate(pinned.Length);
        WeightConversionScenario.Fill(bench, values);
        bench.Stream.Copy(AddressIn(pinned), values.Address, pinned.Length);
        bench.Stream.Synchronize();
    }
}
