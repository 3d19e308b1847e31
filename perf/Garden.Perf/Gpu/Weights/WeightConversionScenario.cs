using System.Runtime.InteropServices;
using Garden.Kernels;
using Garden.Kernels.Weights;
using Garden.Weights;

namespace Garden.Perf.Gpu;

/// <summary>BF16 → FP8 with block scales on the GPU, matrices of real models, against a device memcpy of as many bytes read and written.</summary>
internal static class WeightConversionScenario
{
    private const double Goal = 0.8;

    /// <summary>GB/s read and written of Llama-3-8B's widest matrices.</summary>
    public static double Run(GpuBench bench, GpuTable table, double memcpy, long bytes)
    {
        double llama = Convert(bench, table, memcpy, bytes, "Llama-3-8B gate_proj", 14_336, 4096);
        Convert(bench, table, memcpy, bytes, "Llama-3-8B down_proj", 4096, 14_336);
        Convert(bench, table, memcpy, bytes, "DeepSeek-V3 expert", 2048, 7168);
        Convert(bench, table, memcpy, bytes, "DeepSeek-V3 kv_a_proj, edges", 576, 7168);
        return llama;
    }

    private static double Convert(GpuBench bench, GpuTable table, double memcpy, long bytes, string name, int rows, int columns)
    {
        long elements = (long)rows * columns, scales = Float8Blocks.ScalesOf(rows, columns);
        int count = (int)((bytes + (2 * elements) - 1) / (2 * elements));
        using var kernel = new Float8BlockKernel(bench.Device);
        using DeviceBuffer source = bench.Allocate(2 * elements * count), destination = bench.Allocate(elements * count), scale = bench.Allocate(sizeof(float) * scales * count);
        Fill(bench, source);
        bench.Stream.Fill(destination.Address, 0xCD, destination.Length);
        void convert() => kernel.Convert(bench.Stream, source, 0, rows, columns, destination, 0, scale, 0, count);
        void oneByOne()
        {
            for (int i = 0; i < count; i++)
                kernel.Convert(bench.Stream, source, 2 * elements * i, rows, columns, destination, elements * i, scale, sizeof(float) * scales * i);
        }

        convert();
        bench.Stream.Synchronize();
        foreach (int matrix in new[] { 0, count - 1 })
            Verify(name, rows, columns, source, destination, scale, matrix);
        if (kernel.Resources.LocalBytes != 0)
            throw new InvalidOperationException($"The conversion uses {kernel.Resources.LocalBytes} bytes of local memory a thread.");
        double moved = count * ((3.0 * elements) + (sizeof(float) * scales)) / bench.Time(convert) / 1e9;
        table.Throughput($"convert {name}, {count} x {rows} x {columns}, {(2 * elements * count) >> 20} MiB", moved, memcpy, Goal);
        double single = count * ((3.0 * elements) + (sizeof(float) * scales)) / bench.Time(oneByOne) / 1e9;
        table.Throughput("  the same, a launch for each matrix", single, memcpy, 0);
        return moved;
    }

    /// <summary>Fills memory with values like weights'.</summary>
    public static void Fill(GpuBench bench, DeviceBuffer buffer)
    {
        using DeviceKernel<HashFillArgs> fill = bench.Device.Load<HashFillArgs>(WeightFill.Run);
        ulong words = (ulong)buffer.Length / 4;
        fill.Launch(bench.Stream, fill.ShapeFor((long)words), new HashFillArgs { Address = (ulong)buffer.Address, Words = words });
        bench.Stream.Synchronize();
    }

    private static void Verify(string name, int rows, int columns, DeviceBuffer source, DeviceBuffer destination, DeviceBuffer scale, int matrix)
    {
        int blocks = (int)Float8Blocks.ScalesOf(1, columns), elements = rows * columns, all = (int)Float8Blocks.ScalesOf(rows, columns);
        var values = new ushort[elements];
        source.Read(MemoryMarshal.AsBytes(values.AsSpan()), 2L * elements * matrix);
        byte[] expected = new byte[elements], actual = new byte[elements];
        float[] scales = new float[all], expectedScales = new float[all];
        destination.Read(actual, (long)elements * matrix);
        scale.Read(MemoryMarshal.AsBytes(scales.AsSpan()), sizeof(float) * (long)all * matrix);
        for (int row = 0; row < rows; row += Float8Blocks.Size)
        {
            int height = Math.Min(Float8Blocks.Size, rows - row);
            Float8Blocks.ConvertRow(values.AsSpan(row * columns, height * columns), height, columns, expected.AsSpan(row * columns, height * columns), expectedScales.AsSpan(row / Float8Blocks.Size * blocks, blocks));
        }

        if (!expected.AsSpan().SequenceEqual(actual) || !scales.AsSpan().SequenceEqual(expectedScales))
            throw new InvalidOperationException($"{name}: matrix {matrix} is not what the CPU makes of it, from element {expected.AsSpan().CommonPrefixLength(actual)} on.");
    }
}
