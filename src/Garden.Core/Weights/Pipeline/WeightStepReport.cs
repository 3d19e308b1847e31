namespace Garden.Weights;

/// <summary>How an update ended on a trainer rank.</summary>
/// <param name="Step">The step.</param>
/// <param name="Failures">Inference ranks that do not have it, and why; empty when all have it.</param>
/// <param name="Times">Where the time went.</param>
public sealed record WeightStepReport(long Step, IReadOnlyList<WeightRankFailure> Failures, WeightStageTimes Times)
{
    /// <summary>
    /// Trainer ranks that had not said, when the deadline passed or the update was cancelled, that they gather nothing more from this one: what they still ask for is
    /// refused, so that their own receivers may lack the step. Mostly empty.
    /// </summary>
    public IReadOnlyList<int> LateTrainers { get; init; } = [];

    /// <summary>True when every receiver of this rank has everything, from all trainer ranks, and has verified it where that is on.</summary>
    public bool IsComplete => Failures.Count == 0;

    /// <inheritdoc/>
    public override string ToString() => IsComplete
        ? $"step {Step} complete in {Times.Total.TotalSeconds:0.000} s"
        : $"step {Step} incomplete: {string.Join("; ", Failures)}";
}

/// <summary>An inference rank that does not have a step.</summary>
/// <param name="Rank">The rank.</param>
/// <param name="Name">What it calls itself; its address where it never said.</param>
/// <param name="Cause">Why.</param>
public sealed record WeightRankFailure(int Rank, string Name, Exception Cause)
{
    /// <inheritdoc/>
    public override string ToString() => $"inference rank {Rank} ({Name}): {Cause.Message}";
}
