namespace Garden.Weights;

/// <summary>Copies the runs of a piece from one host memory to another.</summary>
internal static unsafe class WeightCopy
{
    /// <summary>Both memories must reach to the piece's ends, <see cref="WeightPiece.SourceEnd"/> and <see cref="WeightPiece.DestinationEnd"/>.</summary>
    public static void Runs(in WeightPiece piece, byte* source, byte* destination)
    {
        ref readonly WeightLevel last = ref piece.Levels[WeightLevels.Count - 1];
        for (long outer = 0; outer < piece.OuterTurns; outer++)
        {
            WeightRun run = piece.RunAt(outer, 0);
            byte* from = source + run.SourceOffset, to = destination + run.DestinationOffset;
            for (long inner = 0; inner < last.Count; inner++)
            {
                Buffer.MemoryCopy(from, to, piece.Length, piece.Length);
                from += last.SourceStride;
                to += last.DestinationStride;
            }
        }
    }
}
