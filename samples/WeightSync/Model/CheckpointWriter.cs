using System.Runtime.InteropServices;
using System.Text.Json;
using Garden.Weights;

namespace WeightSync;

/// <summary>Writes a checkpoint with a map's names and shapes and random values, in two files with an index, as trainers leave them behind.</summary>
internal static class CheckpointWriter
{
    private const int Files = 2;

    /// <summary>Writes to a directory unless it holds a checkpoint already.</summary>
    public static void Write<TMap>(string directory, int seed)
        where TMap : unmanaged, IWeightShardMap<TMap>
    {
        if (File.Exists(Path.Combine(directory, SafetensorsIndex.FileName)))
            return;
        Directory.CreateDirectory(directory);
        // One rank holds whole tensors, so that its holdings say what their shapes are.
        WeightMeshes<TMap> single = WeightMeshes<TMap>.Create(new WeightMesh(1), new WeightMesh(1));
        var files = new Dictionary<string, string>();
        long total = 0;
        for (int file = 0; file < Files; file++)
        {
            string name = $"model-{file + 1:00000}-of-{Files:00000}.safetensors";
            int first = TMap.TensorCount * file / Files, end = TMap.TensorCount * (file + 1) / Files;
            WeightHolding[] holdings = [.. Enumerable.Range(first, end - first).Select(tensor => WeightTensors<TMap>.AtTrainer(in single, 0, tensor)!.Value)];
            using var writer = new SafetensorsWriter(
                Path.Combine(directory, name),
                [.. holdings.Select((holding, i) => (WeightTensors<TMap>.NameOf(first + i), ElementOf(holding), ShapeOf(holding)))]);
            for (int i = 0; i < holdings.Length; i++)
            {
                byte[] bytes = Values(holdings[i], seed + first + i);
                writer.Write(bytes);
                total += bytes.Length;
                files.Add(WeightTensors<TMap>.NameOf(first + i), name);
            }

            writer.Complete();
        }

        File.WriteAllText(Path.Combine(directory, SafetensorsIndex.FileName), JsonSerializer.Serialize(new { metadata = new { total_size = total }, weight_map = files }));
    }

    private static SafetensorsElement ElementOf(WeightHolding holding) => holding.ElementBytes == sizeof(float) ? SafetensorsElement.Float32 : SafetensorsElement.BFloat16;

    private static IReadOnlyList<long> ShapeOf(WeightHolding holding) =>
        holding.Columns.Count == 1 ? [holding.Rows.Count] : [holding.Rows.Count, holding.Columns.Count];

    /// <summary>Normal values as weights have them, of standard deviation 0.02.</summary>
    private static byte[] Values(WeightHolding holding, int seed)
    {
        var random = new Random(seed);
        float[] values = new float[holding.Rows.Count * holding.Columns.Count];
        foreach (ref float value in values.AsSpan())
            value = 0.02f * MathF.Sqrt(-2 * MathF.Log(1 - random.NextSingle())) * MathF.Cos(2 * MathF.PI * random.NextSingle());
        if (holding.ElementBytes == sizeof(float))
            return MemoryMarshal.AsBytes(values.AsSpan()).ToArray();
        ushort[] halves = new ushort[values.Length];
        for (int i = 0; i < values.Length; i++)
            halves[i] = (ushort)(BitConverter.SingleToUInt32Bits(values[i]) >> 16);
        return MemoryMarshal.AsBytes(halves.AsSpan()).ToArray();
    }
}
