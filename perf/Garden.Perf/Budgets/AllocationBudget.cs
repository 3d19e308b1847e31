namespace Garden.Perf.Budgets;

/// <summary>What an operation may allocate.</summary>
/// <param name="Operation">The name of a <see cref="MeasuredOperation"/>.</param>
/// <param name="BytesPerOperation">Managed bytes an operation, over the whole process.</param>
internal sealed record AllocationBudget(string Operation, double BytesPerOperation);
