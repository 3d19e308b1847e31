using Garden.Weights;

namespace Garden;

/// <summary>What arrived is not what was sent: hashes differ. The version before is still served.</summary>
public sealed class WeightVerificationException : WeightUpdateException
{
    private const int MostNamed = 4;

    /// <summary>The differences that a receiver found.</summary>
    public WeightVerificationException(long step, IReadOnlyList<WeightMismatch> mismatches)
        : base(step, $"{string.Join("; ", mismatches.Take(MostNamed))}{(mismatches.Count > MostNamed ? $"; and {mismatches.Count - MostNamed} more" : "")}.") =>
        Mismatches = mismatches;

    /// <summary>Where.</summary>
    public IReadOnlyList<WeightMismatch> Mismatches { get; }
}
