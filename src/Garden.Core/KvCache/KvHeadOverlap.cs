namespace Garden.KvCache;

/// <summary>The heads one sender rank moves to one receiver rank.</summary>
/// <remarks>
/// Rank r of n holds heads [r × K / n, (r + 1) × K / n) of K, or, with more ranks than heads, head r × K / n together with
/// its R = n / K neighbours (a latent is one head, so R = n). So that every receiver gets each of its heads exactly once,
/// sender r serves receiver q only when r mod R = q mod R: with equal degrees every rank sends to its own number, and
/// otherwise the copies share the receivers evenly.
/// </remarks>
/// <param name="Count">Heads to move; 0 when the ranks share none or another copy serves this receiver.</param>
/// <param name="SourceFirst">The first of them, counted from the sender's first local head.</param>
/// <param name="DestinationFirst">The first of them, counted from the receiver's first local head.</param>
public readonly record struct KvHeadOverlap(int Count, int SourceFirst, int DestinationFirst)
{
    /// <summary>The overlap of two ranks.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A rank is not below its degree.</exception>
    public static KvHeadOverlap Of(int kvHeads, int sourceRanks, int destinationRanks, int sourceRank, int destinationRank)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sourceRank);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(sourceRank, sourceRanks);
        ArgumentOutOfRangeException.ThrowIfNegative(destinationRank);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(destinationRank, destinationRanks);

        int copies = Math.Max(1, sourceRanks / kvHeads);
        if (sourceRank % copies != destinationRank % copies)
            return default;
        (int sourceFirst, int sourceEnd) = HeadsOf(kvHeads, sourceRanks, sourceRank);
        (int destinationFirst, int destinationEnd) = HeadsOf(kvHeads, destinationRanks, destinationRank);
        int first = Math.Max(sourceFirst, destinationFirst);
        int count = Math.Min(sourceEnd, destinationEnd) - first;
        return count <= 0 ? default : new KvHeadOverlap(count, first - sourceFirst, first - destinationFirst);
    }

    private static (int First, int End) HeadsOf(int kvHeads, int ranks, int rank)
    {
        int local = Math.Max(1, kvHeads / ranks);
        int copies = Math.Max(1, ranks / kvHeads);
        int first = rank / copies * local;
        return (first, first + local);
    }
}
