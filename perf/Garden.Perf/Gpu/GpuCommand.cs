using System.CommandLine;
using System.Globalization;
using Garden.Kernels;

namespace Garden.Perf.Gpu;

/// <summary><c>garden-perf gpu</c>: what the kernels reach of their device's ceilings.</summary>
internal static class GpuCommand
{
    private const long FullBytes = 1L << 30;

    public static Command Create()
    {
        var device = new Option<int>("--device") { Description = "The CUDA device.", DefaultValueFactory = static _ => 0 };
        var only = new Option<string?>("--only") { Description = "Run only: copies, writes, watcher, nvlink or weights." };
        var megabytes = new Option<long>("--mib") { Description = "MiB to copy (read and written: twice as many are moved).", DefaultValueFactory = static _ => FullBytes >> 20 };
        var tune = new Option<bool>("--tune") { Description = "Also try other launch shapes." };
        var command = new Command("gpu", "Kernels of one GPU against its own memcpy and flag round trip.") { device, only, megabytes, tune };
        command.SetAction(async (parse, _) =>
        {
            if (CudaDriver.Missing is { } missing)
            {
                Console.Error.WriteLine(missing);
                return 1;
            }

            await RunAsync(parse.GetValue(device), parse.GetValue(only), parse.GetValue(megabytes) << 20, parse.GetValue(tune));
            return 0;
        });
        return command;
    }

    private static async Task RunAsync(int ordinal, string? only, long bytes, bool tune)
    {
        using CudaDevice device = KernelDevice.OpenCuda(ordinal);
        using var bench = new GpuBench(device);
        var table = new GpuTable();
        double memcpy = Memcpy(bench, bytes);
        table.Add($"device memcpy, {bytes >> 20} MiB", string.Create(CultureInfo.InvariantCulture, $"{memcpy:0} GB/s"));
        if (only is null or "copies")
            KvCopyScenario.Run(bench, table, memcpy, bytes);
        if (only is null or "writes")
            WriteListScenario.Run(bench, table, memcpy, bytes, tune);
        if (only is null or "watcher")
            await WatcherScenario.RunAsync(bench, table);
        if (only is null or "nvlink")
            await NvlinkAsync(bench, table, ordinal, bytes);
        if (only is null or "weights")
            await WeightsAsync(bench, table, ordinal, memcpy, bytes);
        double again = Memcpy(bench, bytes);
        table.Add("device memcpy again, at the end", string.Create(CultureInfo.InvariantCulture, $"{again:0} GB/s"));
        table.Print($"{device.Name}, CUDA {CudaDriver.Version / 1000}.{CudaDriver.Version % 1000 / 10}, .NET {Environment.Version}, {DateTimeOffset.UtcNow:yyyy-MM-dd}; GB/s are bytes read and written, medians of {GpuBench.Repetitions}");
    }

    /// <summary>Between this device and another one where there is one, else within this one.</summary>
    private static async Task NvlinkAsync(GpuBench bench, GpuTable table, int ordinal, long bytes)
    {
        using CudaDevice? other = OtherThan(bench, ordinal);
        CudaDevice receiver = other ?? (CudaDevice)bench.Device;
        table.Add($"nvlink, to {(other is null ? "the same GPU: no NVLink, copies stay in its memory" : other.Name)}", "GB/s are bytes copied");
        await NvlinkScenario.RunAsync(bench, table, receiver, bytes);
        await NvlinkKvScenario.RunAsync(bench, table, receiver);
    }

    private static async Task WeightsAsync(GpuBench bench, GpuTable table, int ordinal, double memcpy, long bytes)
    {
        double convert = WeightConversionScenario.Run(bench, table, memcpy, bytes);
        using CudaDevice? other = OtherThan(bench, ordinal);
        table.Add($"weight updates, to {(other is null ? "the same GPU: no NVLink, copies stay in its memory" : other.Name)}", "medians of 9");
        await WeightUpdateScenario.RunAsync(bench, table, other ?? bench.Device, convert);
    }

    private static CudaDevice? OtherThan(GpuBench bench, int ordinal)
    {
        if (CudaDriver.DeviceCount < 2)
            return null;
        CudaDevice other = KernelDevice.OpenCuda(ordinal == 0 ? 1 : 0);
        ((CudaDevice)bench.Device).EnablePeer(other);
        return other;
    }

    private static double Memcpy(GpuBench bench, long bytes)
    {
        using DeviceBuffer source = bench.Allocate(bytes), destination = bench.Allocate(bytes);
        bench.Hash(source);
        return bench.Throughput(bytes, () => bench.Stream.Copy(destination.Address, source.Address, bytes));
    }
}
