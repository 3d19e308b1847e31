using Microsoft.CodeAnalysis;

namespace Garden.Generators.Tests;

/// <summary>Why the steps of the generators' pipelines ran in the second of two runs.</summary>
internal static class Steps
{
    public static GeneratorRunResult[] RunTwice(Compilation before, Compilation after, params AdditionalText[] files) =>
        Run(Sources.Driver(files).RunGenerators(before, TestContext.Current.CancellationToken), after);

    public static GeneratorRunResult[] Run(GeneratorDriver driver, Compilation compilation) =>
        [.. driver.RunGenerators(compilation, TestContext.Current.CancellationToken).GetRunResult().Results];

    /// <summary>The reasons of a tracked step, in the order of the types.</summary>
    public static IncrementalStepRunReason[] Reasons(GeneratorRunResult[] results, string step) => [.. results
        .Where(result => result.TrackedSteps.ContainsKey(step))
        .SelectMany(result => result.TrackedSteps[step])
        .SelectMany(run => run.Outputs)
        .Select(output => output.Reason)];

    /// <summary>The reasons of all outputs.</summary>
    public static IncrementalStepRunReason[] Outputs(GeneratorRunResult[] results) => [.. results
        .SelectMany(result => result.TrackedOutputSteps.Values)
        .SelectMany(runs => runs)
        .SelectMany(run => run.Outputs)
        .Select(output => output.Reason)];

    public static void Are(GeneratorRunResult[] results, string step, IncrementalStepRunReason reason)
    {
        IncrementalStepRunReason[] reasons = Reasons(results, step);
        Assert.NotEmpty(reasons);
        Assert.All(reasons, actual => Assert.Equal(reason, actual));
    }
}
