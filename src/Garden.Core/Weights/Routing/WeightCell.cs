namespace Garden.Weights;

/// <summary>
/// The elements of each tensor of a row that always go together, and the ranks that could send them: the holders of equal
/// copies, or of any part of a block row that is converted. The planner chooses one of them for each item, which is the cell
/// of some of the row's tensors.
/// </summary>
internal sealed class WeightCell
{
    /// <summary>The row of the map.</summary>
    public required int Part { get; init; }

    /// <summary>The row of its scales, −1 without.</summary>
    public required int Scales { get; init; }

    /// <summary>The rows: of a converted row whole block rows.</summary>
    public required WeightRange Rows { get; init; }

    /// <summary>The columns.</summary>
    public required WeightRange Columns { get; init; }

    /// <summary>The positions of the senders' box, unless the elements are converted.</summary>
    public required WeightRange Window { get; init; }

    /// <summary>Ranks that could send, in ascending order.</summary>
    public required int[] Candidates { get; init; }

    /// <summary>Receivers and what they need of a tensor, of any of its experts.</summary>
    public required WeightTarget[] Targets { get; init; }

    /// <summary>For every group those of the receivers that need some of its experts.</summary>
    public required WeightTarget[][] Receivers { get; init; }

    /// <summary>Combinations of the variables other than the expert that the row has.</summary>
    public required int Outers { get; init; }

    /// <summary>How many of them an item takes: 1 or all.</summary>
    public required int OutersPerItem { get; init; }

    /// <summary>Item g of a combination takes the experts from entry g to entry g + 1.</summary>
    public required int[] ExpertBounds { get; init; }

    /// <summary>Number of the first item.</summary>
    public required int FirstItem { get; init; }

    /// <summary>Items of a combination.</summary>
    public int Groups => ExpertBounds.Length - 1;

    /// <summary>Number of items.</summary>
    public int Items => Outers / OutersPerItem * Groups;

    /// <summary>The receiver of a group that a sender begins with: on every sender another one, so that senders in step do not meet at one.</summary>
    public int FirstReceiver(int group, int sender, int senders) => (int)((long)sender * Receivers[group].Length / senders);

    /// <summary>Bytes that an item of a group sends to one receiver.</summary>
    public long BytesOf(int group, in WeightTarget target) =>
        (long)OutersPerItem * target.Experts(ExpertBounds[group], ExpertBounds[group + 1]) * target.BytesPerTensor;

    /// <summary>Bytes that an item of a group sends to all receivers.</summary>
    public long BytesOf(int group)
    {
        long bytes = 0;
        foreach (ref readonly WeightTarget target in Receivers[group].AsSpan())
            bytes += BytesOf(group, in target);
        return bytes;
    }
}

/// <summary>An item, found by its number.</summary>
/// <param name="Cell">Its cell, by index.</param>
/// <param name="Turn">Which of the cell's turns over the combinations.</param>
/// <param name="Group">Which of the cell's ranges of experts.</param>
internal readonly record struct WeightItem(int Cell, int Turn, int Group)
{
    /// <summary>Finds an item. It must be below the last cell's last one.</summary>
    public static WeightItem Find(WeightCell[] cells, int item)
    {
        (int low, int high) = (0, cells.Length - 1);
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            (low, high) = cells[middle].FirstItem <= item ? (middle, high) : (low, middle - 1);
        }

        (int turn, int group) = Math.DivRem(item - cells[low].FirstItem, cells[low].Groups);
        return new WeightItem(low, turn, group);
    }
}

/// <summary>A receiver of a cell.</summary>
/// <param name="Rank">The inference rank.</param>
/// <param name="FirstExpert">The first expert it needs.</param>
/// <param name="EndExpert">The expert behind the last one.</param>
/// <param name="BytesPerTensor">Bytes it needs of each tensor, scales included.</param>
internal readonly record struct WeightTarget(int Rank, int FirstExpert, int EndExpert, long BytesPerTensor)
{
    /// <summary>How many of a range of experts it needs.</summary>
    public int Experts(int first, int end) => Math.Max(0, Math.Min(end, EndExpert) - Math.Max(first, FirstExpert));
}
