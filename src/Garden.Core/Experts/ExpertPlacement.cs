using System.Runtime.CompilerServices;

namespace Garden.Experts;

/// <summary>
/// Which rank holds which expert: blocks of ⌈Experts / ranks⌉ in order, so that the last ranks hold fewer, or none, when the ranks
/// do not divide the experts. Pure and without checks; kernels use it too.
/// </summary>
public static class ExpertPlacement
{
    /// <summary>Experts of one rank, at most.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int ExpertsPerRank<TRouting>(int ranks)
        where TRouting : unmanaged, IExpertRouting<TRouting> =>
        (int)(((uint)TRouting.Experts + (uint)ranks - 1) / (uint)ranks);

    /// <summary>The rank that holds an expert.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int RankOf<TRouting>(int ranks, int expert)
        where TRouting : unmanaged, IExpertRouting<TRouting> =>
        (int)((uint)expert / (uint)ExpertsPerRank<TRouting>(ranks));

    /// <summary>The first expert of a rank; <c>Experts</c> for a rank that holds none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int FirstExpert<TRouting>(int ranks, int rank)
        where TRouting : unmanaged, IExpertRouting<TRouting> =>
        (int)long.Min(TRouting.Experts, (long)rank * ExpertsPerRank<TRouting>(ranks));

    /// <summary>Experts of a rank.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int LocalExperts<TRouting>(int ranks, int rank)
        where TRouting : unmanaged, IExpertRouting<TRouting> =>
        FirstExpert<TRouting>(ranks, rank + 1) - FirstExpert<TRouting>(ranks, rank);
}
