namespace Garden.Perf.Budgets;

/// <summary>An operation whose allocations are measured.</summary>
/// <param name="Name">What the budget calls it.</param>
/// <param name="Run">Does it a number of times; called with a number, so that no delegate call and no closure is in the loop.</param>
internal sealed record MeasuredOperation(string Name, Action<int> Run);
