namespace Garden.Weights;

/// <summary>What the generator knows about a map: tables in the assembly's read-only data, and constants.</summary>
/// <remarks><see cref="WeightMeshes{TMap}"/> is what reads them.</remarks>
/// <typeparam name="TSelf">The annotated struct.</typeparam>
public interface IWeightShardMap<TSelf>
    where TSelf : unmanaged, IWeightShardMap<TSelf>
{
    /// <summary>Number of rules.</summary>
    static abstract int RuleCount { get; }

    /// <summary>Number of tensors over all rules.</summary>
    static abstract int TensorCount { get; }

    /// <summary>A 64-bit hash over all that decides where a byte lies: equal hashes mean equal maps.</summary>
    static abstract ulong MapHash { get; }

    /// <summary>The trainer's mesh; a size of 0 is given at run time.</summary>
    static abstract WeightMesh TrainerMesh { get; }

    /// <summary>The inference mesh; a size of 0 is given at run time.</summary>
    static abstract WeightMesh InferenceMesh { get; }

    /// <summary>The rows of the map, <see cref="WeightPart.Words"/> words each.</summary>
    static abstract ReadOnlySpan<long> PartWords { get; }

    /// <summary>The values of a rule's variables other than the expert, one combination after the other.</summary>
    static abstract ReadOnlySpan<int> VariablesOf(int rule);

    /// <summary>The rule's pattern, ranges removed.</summary>
    static abstract string PatternOf(int rule);
}
