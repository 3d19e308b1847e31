namespace Garden.Weights;

/// <summary>Where rows lie on a rank. Both sides lay their rows out in the order of the map, each tensor at a multiple of 256 bytes.</summary>
internal static class WeightSides
{
    /// <summary>A row at the trainer whose first tensor is at <paramref name="offset"/>.</summary>
    public static WeightSide AtTrainer(in WeightPart part, in WeightMesh mesh, int rank, long offset)
    {
        WeightBox box = WeightBox.Of(in part, part.Trainer, in mesh, rank);
        return new WeightSide(rank, box, offset, WeightSide.Align(box.Cells * part.TrainerBytes), part.TrainerBytes);
    }

    /// <summary>What a rank holds of a row at inference; in blocks where the row is scales.</summary>
    public static WeightBox AtInference(in WeightPart part, in WeightMesh mesh, int rank)
    {
        WeightBox box = WeightBox.Of(in part, part.Inference, in mesh, rank);
        return part.IsScales ? box.InBlocks(part.Block) : box;
    }

    /// <summary>Bytes of all tensors of a row that a rank has room for.</summary>
    public static long BytesHeld(in WeightPart part, in WeightSide side) => checked(part.Outers * side.Box.Experts.Local * side.Stride);

    /// <summary>Bytes of all tensors at the trainer, the same for every rank.</summary>
    public static long TrainerBytes(ReadOnlySpan<WeightPart> parts, in WeightMesh mesh)
    {
        long bytes = 0;
        foreach (ref readonly WeightPart part in parts)
        {
            WeightSide side = AtTrainer(in part, in mesh, 0, 0);
            bytes = checked(bytes + BytesHeld(in part, in side));
        }

        return bytes;
    }

    /// <summary>Bytes of all tensors at inference, the same for every rank.</summary>
    public static long InferenceBytes(ReadOnlySpan<WeightPart> parts, in WeightMesh mesh)
    {
        WeightOutput output = default;
        output.MoveTo(parts.Length, parts, in mesh, 0);
        return output.Base;
    }
}
