using System.Globalization;
using Garden.Kernels;

namespace Garden.Perf.Gpu;

/// <summary>The kernel that executes write lists: rows of a token, short segments, and one long write, in random order.</summary>
internal static class WriteListScenario
{
    public static void Run(GpuBench bench, GpuTable table, double memcpy, long bytes, bool tune)
    {
        List(bench, table, memcpy, bytes, 14_336, 0.85, tune);
        List(bench, table, memcpy, bytes, 4096, 0.85, tune);
        List(bench, table, memcpy, bytes, 1024, 0.75, tune);
        List(bench, table, memcpy, bytes, 256, 0.75, tune);
        using DeviceBuffer source = bench.Allocate(bytes), destination = bench.Allocate(bytes);
        bench.Hash(source);
        using var list = new DeviceWriteList(bench.Device);
        list.Add(source.Address, destination.Address, bytes);
        table.Throughput($"write list, 1 x {bytes >> 20} MiB", bench.Throughput(bytes, () => list.Execute(bench.Stream)), memcpy, 0);
        list.Clear();
        // A source one byte off: two loads a store.
        for (long at = 0; at + 14_336 < bytes; at += 14_336)
            list.Add(source.Address + (nint)at + 1, destination.Address + (nint)at, 14_335);
        table.Throughput("write list, 14335 B, source one byte off", bench.Throughput(list.Bytes, () => list.Execute(bench.Stream)), memcpy, 0);
    }

    private static void List(GpuBench bench, GpuTable table, double memcpy, long bytes, int length, double goal, bool tune)
    {
        int count = (int)(bytes / length);
        using DeviceBuffer source = bench.Allocate((long)count * length), destination = bench.Allocate((long)count * length);
        using var list = new DeviceWriteList(bench.Device, count);
        int[] from = [.. Enumerable.Range(0, count)], to = [.. from];
        var random = new Random(length);
        random.Shuffle(from);
        random.Shuffle(to);
        for (int i = 0; i < count; i++)
            list.Add(source.Address + (nint)((long)from[i] * length), destination.Address + (nint)((long)to[i] * length), length);
        bench.Hash(source);
        bench.Stream.Fill(destination.Address, 0xCD, destination.Length);
        list.Execute(bench.Stream);
        bench.Stream.Synchronize();
        bench.Verify($"write list of {length} B", destination, from.Zip(to).Select(pair => ((long)pair.First * length, (long)pair.Second * length, length)));
        // Read in host memory, 24 bytes a write over the bus; with the list on the device what is timed is the kernel, as memcpy is.
        double read = bench.Throughput(list.Bytes, () => list.Execute(bench.Stream));
        table.Throughput($"write list, {count} x {length} B, read in host memory", read, memcpy, length >= 4096 ? goal : 0);
        table.Add($"  its 24 B a write over the bus", string.Create(CultureInfo.InvariantCulture, $"{read / (2 * length) * 24:0.0} GB/s"));
        list.Upload(bench.Stream);
        table.Throughput($"write list, {count} x {length} B, on the device already", bench.Throughput(list.Bytes, () => list.Execute(bench.Stream)), memcpy, goal);
        for (int lanes = 4; tune && lanes <= 256; lanes *= 2)
            table.Throughput($"  {length} B, {lanes} lanes", bench.Throughput(list.Bytes, () => list.Execute(bench.Stream, lanes)), memcpy, 0);
        if (list.Resources.LocalBytes != 0)
            throw new InvalidOperationException($"The write list's kernel uses {list.Resources.LocalBytes} bytes of local memory a thread.");
    }
}
