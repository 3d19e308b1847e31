using System.Runtime.InteropServices;
using Garden.Kernels;
using Garden.Weights;
using WeightSync;

namespace Garden.Perf.Gpu;

/// <summary>What receivers hold against what the CPU makes of the trainers' tensors, for some tensors whole.</summary>
internal static class WeightUpdateCheck
{
    /// <summary>Tensors and bytes compared.</summary>
    /// <exception cref="InvalidOperationException">A byte is wrong.</exception>
    public static (int Tensors, long Bytes) Run(WeightUpdateRanks ranks)
    {
        (int tensors, long bytes) = (0, 0);
        for (int tensor = 0; tensor < Llama8B.TensorCount; tensor++)
        {
            string name = WeightTensors<Llama8B>.NameOf(tensor);
            if (!name.Contains("layers.0.", StringComparison.Ordinal) && !name.Contains("layers.31.", StringComparison.Ordinal) && !name.StartsWith("model.norm", StringComparison.Ordinal))
                continue;
            bytes += Check(ranks, tensor, name);
            tensors++;
        }

        return (tensors, bytes);
    }

    /// <summary>Elements that trainers convert.</summary>
    public static double ConvertedElements(WeightUpdateRanks ranks) => Enumerable.Range(0, Llama8B.TensorCount)
        .Where(tensor => WeightTensors<Llama8B>.AtInference(ranks.Meshes, 0, tensor)!.Value.ElementBytes == 1)
        .Sum(tensor => Enumerable.Range(0, ranks.Trainers.Count).Sum(rank => WeightTensors<Llama8B>.AtTrainer(ranks.Meshes, rank, tensor) is { } holding ? (double)holding.Flat.Count : 0));

    private static long Check(WeightUpdateRanks ranks, int tensor, string name)
    {
        WeightMeshes<Llama8B> meshes = ranks.Meshes;
        ushort[] values = [];
        int columns = 0;
        for (int rank = 0; rank < ranks.Trainers.Count; rank++)
        {
            if (WeightTensors<Llama8B>.AtTrainer(in meshes, rank, tensor) is not { Flat.Count: > 0 } holding)
                continue;
            columns = (int)holding.Columns.Count;
            if (values.Length == 0)
                values = new ushort[holding.Rows.Count * columns];
            ranks.Trainers[rank].Read(MemoryMarshal.AsBytes(values.AsSpan((int)holding.Flat.First, (int)holding.Flat.Count)), holding.Offset);
        }

        int rows = values.Length / columns, blocks = (int)Float8Blocks.ScalesOf(1, columns);
        byte[] elements = new byte[values.Length];
        float[] scales = new float[Float8Blocks.ScalesOf(rows, columns)];
        for (int row = 0; row < rows; row += Float8Blocks.Size)
        {
            int height = Math.Min(Float8Blocks.Size, rows - row);
            Float8Blocks.ConvertRow(values.AsSpan(row * columns, height * columns), height, columns, elements.AsSpan(row * columns, height * columns), scales.AsSpan(row / Float8Blocks.Size * blocks, blocks));
        }

        long compared = 0;
        for (int rank = 0; rank < ranks.Receivers.Count; rank++)
        {
            if (WeightTensors<Llama8B>.AtInference(in meshes, rank, tensor) is not { } holding)
                continue;
            if (holding.ElementBytes == sizeof(ushort))
            {
                compared += Compare<ushort>(ranks.Receivers[rank], holding, values, columns, $"{name} at rank {rank}");
                continue;
            }

            compared += Compare<byte>(ranks.Receivers[rank], holding, elements, columns, $"{name} at rank {rank}");
            compared += Compare<float>(ranks.Receivers[rank], WeightTensors<Llama8B>.AtInference(in meshes, rank, tensor, scales: true)!.Value, scales, blocks, $"scales of {name} at rank {rank}");
        }

        return compared;
    }

    private static long Compare<T>(DeviceBuffer memory, WeightHolding holding, T[] expected, int columns, string what)
        where T : unmanaged
    {
        int width = (int)holding.Columns.Count, pitch = (int)holding.Columns.Local;
        var held = new T[holding.Flat.Count];
        memory.Read(MemoryMarshal.AsBytes(held.AsSpan()), holding.Offset);
        for (long row = holding.Rows.First; row < holding.Rows.End; row++)
        {
            ReadOnlySpan<T> actual = held.AsSpan((int)((row - holding.Rows.First) * pitch), width);
            if (!MemoryMarshal.AsBytes(actual).SequenceEqual(MemoryMarshal.AsBytes(expected.AsSpan((int)((row * columns) + holding.Columns.First), width))))
                throw new InvalidOperationException($"{what}: row {row} is not what the CPU makes of the trainers' tensors.");
        }

        return MemoryMarshal.AsBytes(held.AsSpan()).Length;
    }
}
