using System.Runtime.InteropServices;
using Garden.Weights;

namespace Garden.Core.Tests.Weights;

/// <summary>The global tensors of <see cref="FleetMap"/> at a step, and what ranks must hold of them, element by element.</summary>
internal static class FleetWeights
{
    /// <summary>Rows and columns of a tensor, and whether it is converted: by its name, so that the map is not believed.</summary>
    public static (int Rows, int Columns, bool Converted) ShapeOf(string name) =>
        name.EndsWith(".gate", StringComparison.Ordinal) || name.EndsWith(".up", StringComparison.Ordinal) ? (256, 200, true)
        : name.EndsWith(".down", StringComparison.Ordinal) ? (200, 256, true)
        : name.EndsWith(".norm", StringComparison.Ordinal) ? (200, 1, false)
        : name.EndsWith(".out", StringComparison.Ordinal) ? (64, 96, false)
        : name.EndsWith(".wide", StringComparison.Ordinal) ? (64, 4096, false)
        : (300, 130, true);

    /// <summary>A tensor as the model has it, bfloat16.</summary>
    public static ushort[] Tensor(int tensor, long step)
    {
        (int rows, int columns, _) = ShapeOf(WeightTensors<FleetMap>.NameOf(tensor));
        var random = new Random((int)((step * 1000) + tensor));
        ushort[] values = new ushort[rows * columns];
        foreach (ref ushort value in values.AsSpan())
            value = (ushort)(BitConverter.SingleToUInt32Bits((float)((random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-8, 4)))) >> 16);
        return values;
    }

    /// <summary>What a trainer rank holds of a tensor goes to its place.</summary>
    public static void Fill(WeightMeshes<FleetMap> meshes, int rank, long step, NativeBuffer memory)
    {
        for (int tensor = 0; tensor < FleetMap.TensorCount; tensor++)
        {
            if (WeightTensors<FleetMap>.AtTrainer(in meshes, rank, tensor) is { } holding)
                ForEach(holding, Tensor(tensor, step), ShapeOf(WeightTensors<FleetMap>.NameOf(tensor)).Columns, (value, offset) => MemoryMarshal.Write(memory.Span(offset, sizeof(ushort)), value));
        }
    }

    /// <summary>The number of bytes of an inference rank that are right; throws at the first that is not.</summary>
    public static long Verify(WeightMeshes<FleetMap> meshes, int rank, long step, NativeBuffer memory)
    {
        long verified = 0;
        for (int tensor = 0; tensor < FleetMap.TensorCount; tensor++)
        {
            string name = WeightTensors<FleetMap>.NameOf(tensor);
            (int rows, int columns, bool converted) = ShapeOf(name);
            if (WeightTensors<FleetMap>.AtInference(in meshes, rank, tensor) is not { } holding)
                continue;
            ushort[] values = Tensor(tensor, step);
            if (!converted)
            {
                ForEach(holding, values, columns, (value, offset) => Same(name, value, MemoryMarshal.Read<ushort>(memory.Span(offset, sizeof(ushort))), offset, sizeof(ushort)));
                continue;
            }

            (byte[] elements, float[] scales) = Convert(values, rows, columns);
            ForEach(holding, elements, columns, (value, offset) => Same(name, value, memory.Span(offset, 1)[0], offset, 1));
            WeightHolding scaleHolding = WeightTensors<FleetMap>.AtInference(in meshes, rank, tensor, scales: true)!.Value;
            ForEach(scaleHolding, scales, (columns + 127) / 128, (value, offset) => Same($"{name} scales", value, MemoryMarshal.Read<float>(memory.Span(offset, sizeof(float))), offset, sizeof(float)));
        }

        return verified;

        void Same<T>(string name, T expected, T actual, long offset, int bytes)
            where T : IEquatable<T>
        {
            if (!expected.Equals(actual))
                throw new InvalidDataException($"Rank {rank}, step {step}, {name}: {actual} at offset {offset}, expected {expected}.") { Data = { ["offset"] = offset } };
            verified += bytes;
        }
    }

    /// <summary>The whole tensor by the scalar reference.</summary>
    private static (byte[] Elements, float[] Scales) Convert(ushort[] values, int rows, int columns)
    {
        int blocks = (columns + 127) / 128;
        byte[] elements = new byte[values.Length];
        float[] scales = new float[(rows + 127) / 128 * blocks];
        for (int row = 0; row < rows; row += 128)
        {
            int height = Math.Min(128, rows - row);
            Float8BlocksReference.ConvertRow(
                values.AsSpan(row * columns, height * columns), height, columns, elements.AsSpan(row * columns, height * columns), scales.AsSpan(row / 128 * blocks, blocks));
        }

        return (elements, scales);
    }

    private static void ForEach<T>(WeightHolding holding, T[] values, int columns, Action<T, long> visit)
    {
        for (long row = holding.Rows.First; row < holding.Rows.End; row++)
        {
            for (long column = holding.Columns.First; column < holding.Columns.End; column++)
            {
                long position = ((row - holding.Rows.First) * holding.Columns.Local) + (column - holding.Columns.First);
                if (position >= holding.Flat.First && position < holding.Flat.End)
                    visit(values[(row * columns) + column], holding.Offset + ((position - holding.Flat.First) * holding.ElementBytes));
            }
        }
    }
}
