namespace Garden.Experts;

/// <summary>
/// What the generator knows about a routing: constants only, so that host code and kernels that are generic over it are compiled
/// for it. What follows from them is in <see cref="ExpertPlacement"/>, <see cref="ExpertBuffers"/>, <see cref="ExpertDispatch"/>,
/// <see cref="ExpertReceive"/> and <see cref="ExpertCombine"/>.
/// </summary>
/// <remarks>
/// A dispatched row is, at these byte offsets: 0 the payload (HiddenSize elements); <see cref="ScalesOffset"/> its
/// <see cref="ScaleCount"/> single-precision scales; <see cref="SelectionsOffset"/> TopK 32-bit numbers, for each place in the
/// token's top-k an <see cref="ExpertSelection"/>: the expert of the receiving rank and the row's place in it, or −1 when that
/// choice is not on this rank;
/// <see cref="WeightsOffset"/> TopK single-precision weights, 0 where the choice is −1.
/// </remarks>
/// <typeparam name="TSelf">The annotated struct.</typeparam>
public interface IExpertRouting<TSelf>
    where TSelf : unmanaged, IExpertRouting<TSelf>
{
    /// <summary>Routed experts over all ranks.</summary>
    static abstract int Experts { get; }

    /// <summary>Experts a token is sent to, at most.</summary>
    static abstract int TopK { get; }

    /// <summary>Elements of a row.</summary>
    static abstract int HiddenSize { get; }

    /// <summary>Element type of dispatched rows.</summary>
    static abstract ExpertElement Element { get; }

    /// <summary>Bytes per element of dispatched rows.</summary>
    static abstract int ElementBytes { get; }

    /// <summary>Elements that share a scale; 0 when there are no scales.</summary>
    static abstract int ScaleBlock { get; }

    /// <summary>Scales of a row.</summary>
    static abstract int ScaleCount { get; }

    /// <summary>Element type of rows that come back.</summary>
    static abstract ExpertElement CombineElement { get; }

    /// <summary>Bytes per element of rows that come back.</summary>
    static abstract int CombineElementBytes { get; }

    /// <summary>The default of <see cref="ExpertGroup.Tokens"/>.</summary>
    static abstract int MaxTokens { get; }

    /// <summary>The default of <see cref="ExpertGroup.Ranks"/>; 0 when it is given at run time.</summary>
    static abstract int Ranks { get; }

    /// <summary>The default of <see cref="ExpertGroup.RanksPerNode"/>; 0 when it is given at run time.</summary>
    static abstract int RanksPerNode { get; }

    /// <summary>The default of <see cref="ExpertGroup.Padding"/>.</summary>
    static abstract int ExpertPadding { get; }

    /// <summary>True when ranks need not divide <see cref="Experts"/>.</summary>
    static abstract bool PadExperts { get; }

    /// <summary>True when each expert's result comes back as a row of its own.</summary>
    static abstract bool ExactCombine { get; }

    /// <summary>Byte offset of a row's scales.</summary>
    static abstract int ScalesOffset { get; }

    /// <summary>Byte offset of a row's experts.</summary>
    static abstract int SelectionsOffset { get; }

    /// <summary>Byte offset of a row's weights.</summary>
    static abstract int WeightsOffset { get; }

    /// <summary>Bytes of a dispatched row, a multiple of 32 (a sector of GPU memory).</summary>
    static abstract int RowBytes { get; }

    /// <summary>Bytes of a row that comes back, a multiple of 32; HiddenSize elements and nothing else.</summary>
    static abstract int CombineRowBytes { get; }

    /// <summary>A 64-bit hash over what must be equal on all ranks: equal hashes mean equal rows and equal placement for equal groups.</summary>
    static abstract ulong RoutingHash { get; }
}
