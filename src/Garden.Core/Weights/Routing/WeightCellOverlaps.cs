namespace Garden.Weights;

/// <summary>What a cell is between one sender and one receiver.</summary>
internal static class WeightCellOverlaps
{
    /// <summary>The overlap of the row's elements and, where they are converted, of their scales; of all tensors. Empty when the receiver needs none.</summary>
    public static WeightOverlap[] Of(WeightPlanSides sides, WeightCell cell, int sourceRank, int destinationRank)
    {
        WeightSide source = SourceOf(sides, cell, sourceRank);
        ref readonly WeightSide destination = ref sides.Inference(cell.Part, destinationRank);
        if (!WeightOverlap.TryCreate(cell.Part, in sides.Parts[cell.Part], in source, in destination, cell.Window, 0, 1, out WeightOverlap overlap))
            return [];
        if (cell.Scales < 0)
            return [overlap];
        WeightSide blocks = source with { Box = source.Box.InBlocks(sides.Parts[cell.Part].Block) };
        ref readonly WeightSide scales = ref sides.Inference(cell.Scales, destinationRank);
        return WeightOverlap.TryCreate(cell.Scales, in sides.Parts[cell.Scales], in blocks, in scales, cell.Window, 0, 1, out WeightOverlap ofScales)
            ? [overlap, ofScales]
            : [overlap];
    }

    private static WeightSide SourceOf(WeightPlanSides sides, WeightCell cell, int rank)
    {
        WeightSide side = sides.Trainer(cell.Part, rank);
        if (cell.Scales < 0)
            return side;
        WeightBox box = side.Box;
        (box.Ranges[0], box.Ranges[1]) = (cell.Rows, cell.Columns);
        return side with { Box = box };
    }
}
