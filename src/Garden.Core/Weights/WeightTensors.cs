using System.Diagnostics.CodeAnalysis;

namespace Garden.Weights;

/// <summary>The tensors of a map: names and numbers, and where they lie on a rank.</summary>
/// <typeparam name="TMap">The annotated struct.</typeparam>
public static class WeightTensors<TMap>
    where TMap : unmanaged, IWeightShardMap<TMap>
{
    /// <summary>The name of a tensor.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The number is not below <see cref="IWeightShardMap{TSelf}.TensorCount"/>.</exception>
    public static string NameOf(int tensor)
    {
        ReadOnlySpan<WeightPart> parts = WeightPart.Of<TMap>();
        return WeightNames.Format<TMap>(in parts[PartOf(parts, tensor, scales: false)], tensor);
    }

    /// <summary>The number of the tensor of a name; false when the map has none.</summary>
    public static bool TryFind(ReadOnlySpan<char> name, out int tensor)
    {
        foreach (ref readonly WeightPart part in WeightPart.Of<TMap>())
        {
            tensor = part.IsScales ? -1 : WeightNames.Find<TMap>(in part, name);
            if (tensor >= 0)
                return true;
        }

        tensor = -1;
        return false;
    }

    /// <summary>What a trainer rank holds of a tensor and where; null when it holds nothing of it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such tensor.</exception>
    public static WeightHolding? AtTrainer(in WeightMeshes<TMap> meshes, int trainerRank, int tensor)
    {
        ReadOnlySpan<WeightPart> parts = WeightPart.Of<TMap>();
        int index = PartOf(parts, tensor, scales: false);
        WeightMesh mesh = meshes.Trainer;
        WeightMeshRules.RequireRank(trainerRank, mesh, nameof(trainerRank));
        long offset = WeightSides.TrainerBytes(parts[..index], in mesh);
        return WeightHolding.Of(in parts[index], WeightSides.AtTrainer(in parts[index], in mesh, trainerRank, offset), tensor);
    }

    /// <summary>What an inference rank holds of a tensor, or of its scales, and where; null when it holds nothing of it, or it has no scales.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such tensor.</exception>
    public static WeightHolding? AtInference(in WeightMeshes<TMap> meshes, int inferenceRank, int tensor, bool scales = false)
    {
        ReadOnlySpan<WeightPart> parts = WeightPart.Of<TMap>();
        int index = PartOf(parts, tensor, scales);
        WeightMesh mesh = meshes.Inference;
        WeightMeshRules.RequireRank(inferenceRank, mesh, nameof(inferenceRank));
        if (index < 0)
            return null;
        WeightOutput output = default;
        output.MoveTo(index, parts, in mesh, inferenceRank);
        return WeightHolding.Of(in parts[index], output.Side(in parts[index], in mesh, inferenceRank), tensor);
    }

    /// <summary>The row of a tensor; −1 when it has no scales and these are meant.</summary>
    private static int PartOf(ReadOnlySpan<WeightPart> parts, int tensor, bool scales)
    {
        if ((uint)tensor >= (uint)TMap.TensorCount)
            ThrowTensor(tensor);
        for (int i = 0; i < parts.Length; i++)
        {
            ref readonly WeightPart part = ref parts[i];
            if (part.IsScales == scales && tensor >= part.FirstTensor && tensor - part.FirstTensor < part.Outers * part.Experts)
                return i;
        }

        return -1;
    }

    [DoesNotReturn]
    private static void ThrowTensor(int tensor) =>
        throw new ArgumentOutOfRangeException(nameof(tensor), tensor, $"{typeof(TMap).Name} has tensors 0 to {TMap.TensorCount - 1}.");
}
