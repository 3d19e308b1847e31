namespace Garden.Weights;

/// <summary>Sums up what a receiver gets from whom.</summary>
internal static class WeightReceipts
{
    public static WeightExpectation[] Of(WeightPlanSides sides, WeightCell[] cells, int[] senders, int inferenceRank, int trainerRanks)
    {
        var sums = new WeightExpectation[trainerRanks];
        foreach (WeightCell cell in cells)
        {
            int at = Array.FindIndex(cell.Targets, target => target.Rank == inferenceRank);
            if (at < 0)
                continue;
            // Every tensor of a cell comes in the same runs.
            (long writes, long bytes, long units) = OneTensor(sides, cell, inferenceRank);
            for (int group = 0; group < cell.Groups; group++)
            {
                long tensors = (long)cell.OutersPerItem * cell.Targets[at].Experts(cell.ExpertBounds[group], cell.ExpertBounds[group + 1]);
                if (tensors == 0)
                    continue;
                for (int item = group; item < cell.Items; item += cell.Groups)
                {
                    ref WeightExpectation sum = ref sums[senders[cell.FirstItem + item]];
                    sum = new WeightExpectation(0, sum.Sends + 1, sum.Writes + (tensors * writes), sum.Bytes + (tensors * bytes), sum.Units + (tensors * units));
                }
            }
        }

        var expectations = new List<WeightExpectation>();
        for (int rank = 0; rank < trainerRanks; rank++)
        {
            if (sums[rank].Sends != 0)
                expectations.Add(sums[rank] with { SourceRank = rank });
        }

        return [.. expectations];
    }

    private static (long Writes, long Bytes, long Units) OneTensor(WeightPlanSides sides, WeightCell cell, int inferenceRank)
    {
        WeightPieces pieces = default;
        (long writes, long bytes, long units) = (0, 0, 0);
        foreach (WeightOverlap whole in WeightCellOverlaps.Of(sides, cell, cell.Candidates[0], inferenceRank))
        {
            int count = whole.Of(0, 1, whole.FirstExpert, 1).Write(0, ref pieces);
            foreach (ref readonly WeightPiece piece in ((ReadOnlySpan<WeightPiece>)pieces)[..count])
                (writes, bytes, units) = (writes + piece.Runs, bytes + piece.Bytes, units + piece.Units);
        }

        return (writes, bytes, units);
    }
}
