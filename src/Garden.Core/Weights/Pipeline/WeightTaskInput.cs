namespace Garden.Weights;

/// <summary>Where the elements of a converted task come from, sorted by who holds them. Worked out once for a plan.</summary>
internal sealed class WeightTaskInput
{
    private WeightTaskInput(WeightPiece[] own, IReadOnlyDictionary<int, WeightPiece[]> others, long matrixBytes, long tensors)
    {
        Own = own;
        Others = others;
        MatrixStride = WeightSide.Align(matrixBytes);
        BufferBytes = MatrixStride * tensors;
        // One run a tensor, all of it, in order: then the elements are read where they lie.
        InPlace = others.Count == 0 && own is [var piece] && piece.Length == matrixBytes && piece.Runs == tensors;
    }

    /// <summary>Runs of this rank's own tensors.</summary>
    public WeightPiece[] Own { get; }

    /// <summary>Runs of other ranks' tensors, by rank.</summary>
    public IReadOnlyDictionary<int, WeightPiece[]> Others { get; }

    /// <summary>Bytes from one tensor's matrix to the next in the gather buffer.</summary>
    public long MatrixStride { get; }

    /// <summary>Bytes of the gather buffer.</summary>
    public long BufferBytes { get; }

    /// <summary>True when each tensor's matrix lies in this rank's tensors in one piece, so that nothing is gathered.</summary>
    public bool InPlace { get; }

    /// <summary>Units that the runs of another rank count.</summary>
    public static long UnitsOf(WeightPiece[] pieces)
    {
        long units = 0;
        foreach (ref readonly WeightPiece piece in pieces.AsSpan())
            units += piece.Units;
        return units;
    }

    /// <summary>The input of a task; null when it converts nothing.</summary>
    public static WeightTaskInput? Of(WeightSenderPlan plan, in WeightTask task)
    {
        if (!task.IsConverted)
            return null;
        int rank = plan.Rank;
        WeightPiece[] all = plan.Gathers(in task);
        return new WeightTaskInput(
            [.. all.Where(piece => piece.SourceRank == rank)],
            all.Where(piece => piece.SourceRank != rank).GroupBy(static piece => piece.SourceRank).ToDictionary(static group => group.Key, static group => group.ToArray()),
            task.Rows.Count * task.Columns.Count * sizeof(ushort),
            (long)task.OuterCount * task.ExpertCount);
    }

    /// <summary>Copies this rank's own runs into the gather buffer.</summary>
    public void CopyOwn(IWeightQueue queue, nint tensors, nint buffer)
    {
        // The planner made the runs for tensors of the map's size and a buffer of BufferBytes, which the caller has.
        foreach (ref readonly WeightPiece piece in Own.AsSpan())
            WeightCopy.Runs(queue, in piece, tensors, buffer);
    }
}
