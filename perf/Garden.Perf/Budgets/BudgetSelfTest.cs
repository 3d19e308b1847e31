namespace Garden.Perf.Budgets;

/// <summary>Shows that the check can fail: it must name each of the four things that are wrong here, and nothing else.</summary>
internal static class BudgetSelfTest
{
    // Escapes, so that the array is made on the heap.
    private static object? s_kept;

    public static List<string> Run(Report report)
    {
        MeasuredOperation[] operations =
        [
            new("self-test.allocates", static count => Repeat(count, 1)),
            // One small object in a hundred operations is a leak in the budget too.
            new("self-test.allocates-seldom", static count => Repeat(count, 100)),
            new("self-test.no-budget", static _ => { }),
            new("self-test.within", static _ => { }),
        ];
        AllocationBudget[] budgets =
        [
            new("self-test.allocates", 0),
            new("self-test.allocates-seldom", 0),
            new("self-test.no-measurement", 0),
            new("self-test.within", 0),
        ];
        List<string> found = BudgetCheck.Run(budgets, operations, report);
        string[] wanted = ["self-test.allocates ", "self-test.allocates-seldom ", "self-test.no-budget ", "self-test.no-measurement "];
        return
        [
            .. wanted.Where(name => !found.Exists(failure => failure.StartsWith(name, StringComparison.Ordinal)))
                .Select(static name => $"{name}was not noticed: the check cannot fail."),
            .. found.Where(failure => !wanted.Any(name => failure.StartsWith(name, StringComparison.Ordinal))),
        ];
    }

    private static void Repeat(int count, int every)
    {
        for (int i = 0; i < count; i++)
        {
            if (i % every == 0)
                s_kept = new byte[64];
        }
    }
}
