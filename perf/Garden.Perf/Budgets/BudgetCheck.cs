namespace Garden.Perf.Budgets;

/// <summary>Budgets against measurements, both ways: neither may be without the other.</summary>
internal static class BudgetCheck
{
    /// <summary>Measures every operation, prints a row each and returns what is wrong.</summary>
    public static List<string> Run(IReadOnlyList<AllocationBudget> budgets, IReadOnlyList<MeasuredOperation> operations, Report report)
    {
        var failures = new List<string>();
        foreach (IGrouping<string, AllocationBudget> entries in budgets.GroupBy(static budget => budget.Operation))
        {
            if (entries.Count() > 1)
                failures.Add($"{entries.Key} has {entries.Count()} budgets.");
            if (operations.All(operation => operation.Name != entries.Key))
                failures.Add($"{entries.Key} has a budget and no measurement.");
        }

        foreach (MeasuredOperation operation in operations)
        {
            double allocated = AllocationMeter.BytesPerOperation(operation);
            AllocationBudget? budget = budgets.FirstOrDefault(budget => budget.Operation == operation.Name);
            bool within = budget is not null && allocated <= budget.BytesPerOperation;
            report.Row(
                "budget",
                ("operation", operation.Name),
                ("operations", AllocationMeter.Operations),
                ("allocated_bytes_per_operation", allocated),
                ("budget_bytes_per_operation", budget is null ? "none" : budget.BytesPerOperation),
                ("within", within));
            if (budget is null)
                failures.Add($"{operation.Name} is measured and has no budget.");
            else if (!within)
                failures.Add($"{operation.Name} allocates {allocated:0.####} B an operation, its budget is {budget.BytesPerOperation:0.####} B.");
        }

        return failures;
    }
}
