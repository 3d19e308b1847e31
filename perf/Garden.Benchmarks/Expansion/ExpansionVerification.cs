namespace Garden.Benchmarks.Expansion;

/// <summary>Compares what the methods of a class made before anything is timed.</summary>
internal static class ExpansionVerification
{
    public static void Require(string benchmark, params (string Method, int Writes, ulong Sum)[] results)
    {
        foreach ((string method, int writes, ulong sum) in results)
        {
            if (writes != ExpansionBatch.Runs || sum != results[0].Sum)
            {
                throw new InvalidOperationException(
                    $"{benchmark}: {method} makes {writes} writes of sum {sum:x16}, {results[0].Method} {results[0].Writes} of {results[0].Sum:x16}; {ExpansionBatch.Runs} equal ones are meant.");
            }
        }
    }

    /// <summary>Expands by a method that fills a batch, and sums what it made.</summary>
    public static (int Writes, ulong Sum) Collect(Func<WriteDescriptor[], int> next)
    {
        var batch = new WriteDescriptor[ExpansionBatch.Size];
        int writes = 0;
        ulong sum = 0;
        while (writes < ExpansionBatch.Runs)
        {
            int written = next(batch);
            if (written == 0)
                break;
            sum += ExpansionBatch.Sum(batch.AsSpan(0, written));
            writes += written;
        }

        return (writes, sum);
    }
}
