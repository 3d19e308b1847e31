namespace Garden.Kernels.Experts;

/// <summary>A rank did not come within the deadline of a kernel that waited for it; the round went on without it.</summary>
public sealed class ExpertTimeoutException : GardenException
{
    /// <summary>The rank, its experts, and what it was awaited for.</summary>
    public ExpertTimeoutException(IReadOnlyList<ExpertMissing> missing)
        : base($"{string.Join("; ", missing ?? [])}. Rounds go on without it: mask the rank on all others, or bring it back.") => Missing = missing ?? [];

    /// <summary>What did not come, in order of phases and ranks.</summary>
    public IReadOnlyList<ExpertMissing> Missing { get; }
}

/// <summary>A rank that did not come.</summary>
/// <param name="Rank">The rank.</param>
/// <param name="FirstExpert">The first of its experts.</param>
/// <param name="Experts">How many it holds.</param>
/// <param name="Phase">What it was awaited for.</param>
/// <param name="Epoch">In which round.</param>
public readonly record struct ExpertMissing(int Rank, int FirstExpert, int Experts, ExpertPhase Phase, uint Epoch)
{
    /// <inheritdoc/>
    public override string ToString()
    {
        string what = Phase switch
        {
            ExpertPhase.DispatchSend => "did not take the rows of an earlier round",
            ExpertPhase.DispatchReceive => "sent no rows",
            ExpertPhase.CombineSend => "did not take the results of an earlier round",
            _ => "sent no results",
        };
        return $"Rank {Rank} ({(Experts == 0 ? "no experts" : $"experts {FirstExpert} to {FirstExpert + Experts - 1}")}) {what} in round {Epoch} before the deadline";
    }
}
