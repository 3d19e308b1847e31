namespace KvStreaming;

/// <summary>The pages a pool hands out, in order. Every 64th page is withheld as a guard that nothing may write to.</summary>
internal static class PageOrder
{
    private const int GuardEvery = 64;
    private const int LongestFragment = 8;

    public static bool IsGuard(int page) => page % GuardEvery == GuardEvery - 1;

    /// <summary>The pages a pool needs to have so that <paramref name="usable"/> of them are not guards.</summary>
    public static int WithGuards(int usable) => usable + (usable / (GuardEvery - 1)) + 1;

    public static int[] Create(int pages, Placement placement, int seed)
    {
        int[] usable = [.. Enumerable.Range(0, pages).Where(page => !IsGuard(page))];
        var random = new Random(seed);
        if (placement == Placement.Random)
            random.Shuffle(usable);
        return placement == Placement.Fragmented ? ShuffleRuns(usable, random) : usable;
    }

    private static int[] ShuffleRuns(int[] pages, Random random)
    {
        var runs = new List<ArraySegment<int>>();
        for (int start = 0; start < pages.Length;)
        {
            int length = Math.Min(random.Next(1, LongestFragment + 1), pages.Length - start);
            runs.Add(new ArraySegment<int>(pages, start, length));
            start += length;
        }

        ArraySegment<int>[] shuffled = [.. runs];
        random.Shuffle(shuffled);
        return [.. shuffled.SelectMany(run => run)];
    }
}
