namespace Garden.Perf.Budgets;

/// <summary>Counts what the whole process allocates, the worker's turns and the fabric included.</summary>
internal static class AllocationMeter
{
    public const int Operations = 100_000;
    private const int Rounds = 3;

    /// <summary>Managed bytes an operation.</summary>
    /// <remarks>
    /// The least of three rounds: the runtime itself (tiering, its timers) allocates a little now and then, and an operation that
    /// allocates does so in every round, be it only once in many operations.
    /// </remarks>
    public static double BytesPerOperation(MeasuredOperation operation)
    {
        // Pools fill, queues reach their size and the hot code its last tier.
        operation.Run(Operations / 2);
        long least = long.MaxValue;
        for (int round = 0; round < Rounds; round++)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            operation.Run(Operations);
            least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - before);
        }

        return (double)least / Operations;
    }
}
