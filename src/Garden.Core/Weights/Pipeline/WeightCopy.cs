namespace Garden.Weights;

/// <summary>Copies the runs of a piece between two places of a device's memory.</summary>
internal static class WeightCopy
{
    /// <summary>Both memories must reach to the piece's ends, <see cref="WeightPiece.SourceEnd"/> and <see cref="WeightPiece.DestinationEnd"/>.</summary>
    public static void Runs(IWeightQueue queue, in WeightPiece piece, nint source, nint destination)
    {
        ref readonly WeightLevel last = ref piece.Levels[WeightLevels.Count - 1];
        for (long outer = 0; outer < piece.OuterTurns; outer++)
        {
            WeightRun run = piece.RunAt(outer, 0);
            queue.CopyRows(new WeightRows(
                source + (nint)run.SourceOffset, destination + (nint)run.DestinationOffset, piece.Length, last.Count, last.SourceStride, last.DestinationStride));
        }
    }
}
