using System.Diagnostics;
using System.Runtime.InteropServices;
using Garden.Weights;

namespace Garden.Perf.Weights.Update;

/// <summary>BF16 → FP8 with block scales on one core, beside a copy of the same BF16 bytes and the scalar reference.</summary>
internal static class ConversionScenario
{
    private const int Columns = 4096;
    private const int Rows = Float8Blocks.Size * 64;
    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(1.5);

    public static unsafe void Run(Report report)
    {
        long elements = (long)Rows * Columns;
        using NativeBuffer source = new(elements * sizeof(ushort)), copy = new(elements * sizeof(ushort)), converted = new(elements);
        float[] scales = new float[Float8Blocks.ScalesOf(1, Columns)];
        var random = new Random(3);
        Span<ushort> values = MemoryMarshal.Cast<byte, ushort>(source.Span(0, (int)source.Length));
        for (int i = 0; i < values.Length; i++)
            values[i] = (ushort)(BitConverter.SingleToUInt32Bits((random.NextSingle() - 0.5f) / 16) >> 16);
        // Safe: all three buffers have been allocated for `elements`.
        double memcpy = Rate(() => Buffer.MemoryCopy(source.Pointer, copy.Pointer, copy.Length, copy.Length), 9);
        double vectorised = Rate(() => Convert(source, converted, scales, Float8Blocks.ConvertRow), 9);
        double reference = Rate(() => Convert(source, converted, scales, Float8BlocksReference.ConvertRow), 3);
        report.Row(
            "conversion",
            ("bf16_bytes", source.Length),
            ("convert_gb_s_in", vectorised),
            ("reference_gb_s_in", reference),
            ("memcpy_gb_s", memcpy),
            ("ratio_to_memcpy", vectorised / memcpy),
            ("ratio_to_reference", vectorised / reference));

        double Rate(Action run, int rounds)
        {
            // Until the optimised code runs: tiers come up some hundred milliseconds after the last new method.
            long start = Stopwatch.GetTimestamp();
            while (Stopwatch.GetElapsedTime(start) < s_warmUp)
                run();
            return source.Length / 1e9 / Statistics.Median(Enumerable.Range(0, rounds).Select(_ =>
            {
                long began = Stopwatch.GetTimestamp();
                run();
                return Stopwatch.GetElapsedTime(began).TotalSeconds;
            }));
        }
    }

    private static unsafe void Convert(NativeBuffer source, NativeBuffer destination, float[] scales, RowConversion convert)
    {
        for (long row = 0; row < Rows; row += Float8Blocks.Size)
        {
            // Safe: rows of Columns elements from `row` on lie inside both buffers.
            convert(
                new ReadOnlySpan<ushort>((ushort*)source.Pointer + (row * Columns), Float8Blocks.Size * Columns),
                Float8Blocks.Size,
                Columns,
                new Span<byte>(destination.Pointer + (row * Columns), Float8Blocks.Size * Columns),
                scales);
        }
    }

    private delegate void RowConversion(ReadOnlySpan<ushort> source, int rows, int columns, Span<byte> destination, Span<float> scales);
}
