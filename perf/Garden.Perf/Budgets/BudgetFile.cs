using System.Text.Json;

namespace Garden.Perf.Budgets;

/// <summary>perf/allocation-budgets.json.</summary>
internal sealed record BudgetFile(IReadOnlyList<AllocationBudget> Budgets)
{
    // An unknown or missing member is a typing error that would leave an operation without its budget.
    private static readonly JsonSerializerOptions s_strict = new(JsonSerializerOptions.Strict) { PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    /// <summary>The file that was built in beside the program.</summary>
    public static string DefaultPath => Path.Combine(AppContext.BaseDirectory, "allocation-budgets.json");

    /// <exception cref="InvalidDataException">The file is not of the expected form; the message says where.</exception>
    public static IReadOnlyList<AllocationBudget> Read(string path)
    {
        try
        {
            using FileStream stream = File.OpenRead(path);
            return JsonSerializer.Deserialize<BudgetFile>(stream, s_strict)!.Budgets;
        }
        catch (JsonException exception)
        {
            throw new InvalidDataException($"{path} is not a list of budgets: {exception.Message}", exception);
        }
    }
}
