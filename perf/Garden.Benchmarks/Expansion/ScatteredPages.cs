namespace Garden.Benchmarks.Expansion;

/// <summary>Page lists in which no two entries are neighbours, in random order.</summary>
internal static class ScatteredPages
{
    public static int[] Create(int seed, int count)
    {
        // Even numbers only: nothing can coalesce, and every method makes the same number of writes.
        int[] pages = [.. Enumerable.Range(0, count).Select(static page => page * 2)];
        new Random(seed).Shuffle(pages);
        return pages;
    }
}
