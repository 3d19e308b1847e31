namespace Garden.Kernels.Tests.Experts;

/// <summary>Cases over several choices: all of them, or few in which every pair of values of two choices is together once.</summary>
internal static class Pairwise
{
    public static IReadOnlyList<int[]> All(int[] sizes)
    {
        List<int[]> cases = [[]];
        foreach (int size in sizes)
            cases = [.. cases.SelectMany(begin => Enumerable.Range(0, size).Select(value => (int[])[.. begin, value]))];
        return cases;
    }

    /// <summary>Greedy: each case is the best of some random ones.</summary>
    public static IReadOnlyList<int[]> Of(int[] sizes, int seed)
    {
        const int Tries = 60;
        var random = new Random(seed);
        var open = new HashSet<(int, int, int, int)>();
        for (int a = 0; a < sizes.Length; a++)
        {
            for (int b = a + 1; b < sizes.Length; b++)
            {
                for (int i = 0; i < sizes[a] * sizes[b]; i++)
                    open.Add((a, i / sizes[b], b, i % sizes[b]));
            }
        }

        var cases = new List<int[]>();
        while (open.Count != 0)
        {
            (int a, int va, int b, int vb) = open.First();
            int[] best = Enumerable.Range(0, Tries).Select(_ =>
            {
                int[] values = [.. sizes.Select(size => random.Next(size))];
                (values[a], values[b]) = (va, vb);
                return values;
            }).MaxBy(values => Pairs(values).Count(open.Contains))!;
            open.ExceptWith(Pairs(best));
            cases.Add(best);
        }

        return cases;
    }

    private static IEnumerable<(int, int, int, int)> Pairs(int[] values)
    {
        for (int a = 0; a < values.Length; a++)
        {
            for (int b = a + 1; b < values.Length; b++)
                yield return (a, values[a], b, values[b]);
        }
    }
}
