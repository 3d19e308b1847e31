namespace Garden.Weights;

/// <summary>What a split cuts.</summary>
public enum WeightSplitKind : byte
{
    /// <summary>Nothing: the list of splits ends here.</summary>
    None = 0,

    /// <summary>The experts.</summary>
    Experts = 1,

    /// <summary>Dimension 0.</summary>
    Dimension0 = 2,

    /// <summary>Dimension 1.</summary>
    Dimension1 = 3,

    /// <summary>Dimension 2.</summary>
    Dimension2 = 4,

    /// <summary>The flattened rest.</summary>
    Flat = 5,
}

/// <summary>One cut of a placement: 16 bits.</summary>
/// <remarks>Bits 0–2 the kind, 3–4 the axis, 5 whether the last ranks may have less, 6–15 the most shards (0: as many as ranks).</remarks>
public readonly record struct WeightSplit(ushort Bits)
{
    /// <summary>What is cut.</summary>
    public WeightSplitKind Kind => (WeightSplitKind)(Bits & 7);

    /// <summary>Over which axis of the mesh.</summary>
    public int Axis => (Bits >> 3) & 3;

    /// <summary>True when the size need not divide: every rank has room for the same, and the last ones use less of it.</summary>
    public bool Pads => (Bits & 32) != 0;

    /// <summary>The most shards; 0 for as many as the axis has ranks.</summary>
    public int MostShards => Bits >> 6;

    /// <summary>The dimension that is cut, −1 when it is none.</summary>
    public int Dimension => Kind is >= WeightSplitKind.Dimension0 and <= WeightSplitKind.Dimension2 ? (int)Kind - (int)WeightSplitKind.Dimension0 : -1;
}

/// <summary>How tensors lie on a mesh: up to four splits, each of what the ones before it left. Axes without a split hold copies.</summary>
/// <param name="Bits">The splits, 16 bits each, the first one lowest.</param>
public readonly record struct WeightPlacement(ulong Bits)
{
    /// <summary>The split at a position; one of kind <see cref="WeightSplitKind.None"/> ends the list.</summary>
    public WeightSplit this[int position] => new((ushort)(position < WeightMesh.MaxAxes ? Bits >> (16 * position) : 0));
}
