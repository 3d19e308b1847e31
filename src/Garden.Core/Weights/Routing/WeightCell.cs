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

    /// <summary>Receivers and what they need of a tensor.</summary>
    public required WeightTarget[] Targets { get; init; }

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

    /// <summary>The target that a sender begins with: on every sender another one, so that senders in step do not meet at one.</summary>
    public int FirstTarget(int sender, int senders) => (int)((long)sender * Targets.Length / senders);

    /// <summary>Bytes that an item of a group sends to all receivers.</summary>
    public long BytesOf(int group)
    {
        long bytes = 0;
        foreach (ref readonly WeightTarget target in Targets.AsSpan())
            bytes += target.Experts(ExpertBounds[group], ExpertBounds[group + 1]) * target.BytesPerTensor;
        return bytes * OutersPerItem;
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
