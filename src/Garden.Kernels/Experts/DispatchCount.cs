using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>Counts the choices of all tokens of a round: a thread a token, into the group's shared memory. An expert that a token chooses twice counts once.</summary>
/// <typeparam name="TRouting">The routing.</typeparam>
internal static unsafe class DispatchCount<TRouting>
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    private const int SeenRanks = 64;

    /// <summary>Counts rows for each rank and choices of each expert, ahead of token <paramref name="first"/> and from it on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Count(ExpertKernelArgs arguments, ArrayView<int> shared, SendLayout layout, int tokens, int first)
    {
        int ranks = arguments.Ranks, copies = arguments.CounterCopies;
        int copy = Group.IdxX % copies * ranks;
        for (int token = Group.IdxX; token < tokens; token += Group.DimX)
        {
            // Safe: the host checked that there is room for all tokens of a round.
            ulong chosen = arguments.TopK + (ulong)(4L * token * TRouting.TopK);
            int rowsOf = copy + (token < first ? layout.RowsAhead : layout.RowsFrom);
            int choicesOf = token < first ? layout.ChoicesAhead : layout.ChoicesFrom;
            ulong seen = 0;
            if (TRouting.TopK % 4 == 0)
            {
                for (int k = 0; k < TRouting.TopK; k += 8)
                {
                    Vector16 low = GlobalMemory.Load16(chosen + (ulong)(4 * k)), high = low;
                    bool both = k + 4 < TRouting.TopK;
                    if (both)
                        high = GlobalMemory.Load16(chosen + (ulong)(4 * k) + 16);
                    seen = CountOne(arguments, shared, layout, choicesOf, rowsOf, chosen, k, (int)low.A, k, false, seen);
                    seen = CountOne(arguments, shared, layout, choicesOf, rowsOf, chosen, k + 1, (int)low.B, k, Has(low, 1, low.B), seen);
                    seen = CountOne(arguments, shared, layout, choicesOf, rowsOf, chosen, k + 2, (int)low.C, k, Has(low, 2, low.C), seen);
                    seen = CountOne(arguments, shared, layout, choicesOf, rowsOf, chosen, k + 3, (int)low.D, k, Has(low, 3, low.D), seen);
                    if (!both)
                        continue;
                    seen = CountOne(arguments, shared, layout, choicesOf, rowsOf, chosen, k + 4, (int)high.A, k, Has(low, 4, high.A), seen);
                    seen = CountOne(arguments, shared, layout, choicesOf, rowsOf, chosen, k + 5, (int)high.B, k, Has(low, 4, high.B) | Has(high, 1, high.B), seen);
                    seen = CountOne(arguments, shared, layout, choicesOf, rowsOf, chosen, k + 6, (int)high.C, k, Has(low, 4, high.C) | Has(high, 2, high.C), seen);
                    seen = CountOne(arguments, shared, layout, choicesOf, rowsOf, chosen, k + 7, (int)high.D, k, Has(low, 4, high.D) | Has(high, 3, high.D), seen);
                }
            }
            else
            {
                for (int k = 0; k < TRouting.TopK; k++)
                    seen = CountOne(arguments, shared, layout, choicesOf, rowsOf, chosen, k, (int)GlobalMemory.Load4(chosen + (ulong)(4 * k)), k, false, seen);
            }
        }
    }

    /// <summary>The rank that holds an expert, which exists.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int RankOf(ExpertKernelArgs arguments, int expert) => (int)(((ulong)(uint)expert * arguments.RankReciprocal) >> ExpertKernelArgs.ReciprocalBits);

    /// <summary>True when one of the first places has the expert.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Has(Vector16 places, int count, uint expert) =>
        (places.A == expert) | ((count > 1) & (places.B == expert)) | ((count > 2) & (places.C == expert)) | ((count > 3) & (places.D == expert));

    /// <summary>
    /// Counts one choice; returns the ranks the token has been seen to go to. <paramref name="again"/>: an earlier choice was the same, from choice
    /// <paramref name="before"/> on; those ahead of it are looked up, when the rank has been seen.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong CountOne(
        ExpertKernelArgs arguments, ArrayView<int> shared, SendLayout layout, int choicesOf, int rowsOf, ulong chosen, int k, int expert, int before, bool again, ulong seen)
    {
        if ((uint)expert >= (uint)TRouting.Experts)
        {
            if (expert != -1)
                Atomic.Add(ref shared[SendLayout.Invalid], 1);
            return seen;
        }

        int rank = RankOf(arguments, expert);
        if (PeerWords.Kind(shared, rank) == PeerWords.Masked)
        {
            Atomic.Add(ref shared[SendLayout.Dropped], 1);
            return seen;
        }

        // It keeps its place, for groups that may write to the rank.
        if (shared[layout.Writable + rank] == 0)
            Atomic.Add(ref shared[SendLayout.Dropped], 1);
        ulong bit = rank < SeenRanks ? 1ul << rank : 0;
        // Its row is on the rank already, and its place in the expert too.
        if (again || (before > 0 && (rank >= SeenRanks || (seen & bit) != 0) && IsAgain(chosen, before, expert)))
            return seen;
        Atomic.Add(ref shared[choicesOf + expert], 1);
        if (rank < SeenRanks ? (seen & bit) == 0 : IsFirst(arguments, chosen, k, rank))
            Atomic.Add(ref shared[rowsOf + rank], 1);
        return seen | bit;
    }

    /// <summary>True when one of the token's first choices is the expert.</summary>
    private static bool IsAgain(ulong chosen, int before, int expert)
    {
        for (int earlier = 0; earlier < before; earlier++)
        {
            if ((int)GlobalMemory.Load4(chosen + (ulong)(4 * earlier)) == expert)
                return true;
        }

        return false;
    }

    /// <summary>True when no earlier choice of the token is on the rank; for ranks that have no bit.</summary>
    private static bool IsFirst(ExpertKernelArgs arguments, ulong chosen, int k, int rank)
    {
        for (int earlier = 0; earlier < k; earlier++)
        {
            int expert = (int)GlobalMemory.Load4(chosen + (ulong)(4 * earlier));
            if ((uint)expert < (uint)TRouting.Experts && RankOf(arguments, expert) == rank)
                return false;
        }

        return true;
    }
}
