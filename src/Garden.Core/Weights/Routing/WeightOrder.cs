namespace Garden.Weights;

/// <summary>The order in which every sender takes its items.</summary>
internal static class WeightOrder
{
    /// <summary>The items of every trainer rank, in order.</summary>
    public static int[][] Of(WeightCell[] cells, int[] senders, int trainerRanks, int inferenceRanks)
    {
        var items = new List<(int Wave, int Turn, int Item)>[trainerRanks];
        for (int rank = 0; rank < trainerRanks; rank++)
            items[rank] = [];
        int waves = cells.Length == 0 ? 1 : cells.Max(cell => cell.Outers / cell.OutersPerItem);
        foreach (WeightCell cell in cells)
        {
            for (int i = 0; i < cell.Items; i++)
            {
                int group = i % cell.Groups, sender = senders[cell.FirstItem + i];
                int wave = (int)((long)((2 * (i / cell.Groups)) + 1) * waves * cell.OutersPerItem / (2 * cell.Outers));
                int first = (int)((long)sender * inferenceRanks / trainerRanks);
                int receiver = FirstReceiver(cell, group);
                items[sender].Add((wave, (receiver - first + inferenceRanks) % inferenceRanks, cell.FirstItem + i));
            }
        }

        return [.. items.Select(own =>
        {
            own.Sort();
            return own.Select(item => item.Item).ToArray();
        })];
    }

    private static int FirstReceiver(WeightCell cell, int group)
    {
        foreach (ref readonly WeightTarget target in cell.Targets.AsSpan())
        {
            if (target.Experts(cell.ExpertBounds[group], cell.ExpertBounds[group + 1]) != 0)
                return target.Rank;
        }

        return 0;
    }
}
