using System.CommandLine;

namespace Garden.Perf.Budgets;

/// <summary><c>garden-perf budgets</c>: fails when an operation allocates more than perf/allocation-budgets.json allows.</summary>
internal static class BudgetsCommand
{
    public static Command Create(Option<bool> json)
    {
        var file = new Option<string>("--file") { Description = "The budgets.", DefaultValueFactory = static _ => BudgetFile.DefaultPath };
        var selfTest = new Option<bool>("--self-test") { Description = "Check instead that an operation over its budget is noticed." };
        var command = new Command("budgets", "Managed bytes an operation allocates, process-wide, against perf/allocation-budgets.json.") { file, selfTest };
        command.SetAction(async (parse, _) =>
        {
            var report = new Report(parse.GetValue(json));
            List<string> failures;
            try
            {
                failures = parse.GetValue(selfTest)
                    ? BudgetSelfTest.Run(report)
                    : await MeasureAsync(BudgetFile.Read(parse.GetValue(file)!), report);
            }
            catch (Exception exception) when (exception is IOException or InvalidDataException)
            {
                failures = [exception.Message];
            }

            foreach (string failure in failures)
                await Console.Error.WriteLineAsync(failure);
            return failures.Count == 0 ? 0 : 1;
        });
        return command;
    }

    private static async Task<List<string>> MeasureAsync(IReadOnlyList<AllocationBudget> budgets, Report report)
    {
        await using EnginePair pair = await EnginePair.CreateAsync(1 << 20, counting: false, callerDriven: true);
        using var engine = new EngineOperations(pair);
        using var messages = new MessageOperations(pair);
        using var cache = new KvOperations();
        using var weights = new WeightOperations();
        return BudgetCheck.Run(budgets, [.. cache.All, .. weights.All, .. engine.All, .. messages.All], report);
    }
}
