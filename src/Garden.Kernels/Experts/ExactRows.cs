using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>
/// What kernels do otherwise when each expert's result comes back as a row of its own: rows are packed by expert, then by token, so a sender's counts
/// of choices place them, and the counts of its line tell the receiver the same.
/// </summary>
/// <typeparam name="TRouting">A routing with ExactCombine.</typeparam>
internal static unsafe class ExactRows<TRouting>
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    /// <summary>The sender: first rows of all experts, and of each rank that of its first expert. All threads of a group call it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SumExperts(ExpertKernelArgs arguments, ArrayView<int> shared, SendLayout layout)
    {
        for (int expert = Group.IdxX; expert < TRouting.Experts; expert += Group.DimX)
            shared[layout.ExpertTotals + expert] = shared[layout.ChoicesAhead + expert] + shared[layout.ChoicesFrom + expert];
        Group.Barrier();
        SharedWords.Sum(shared, layout.ExpertTotals, layout.ExpertFirsts, TRouting.Experts, 1, 0);
        Group.Barrier();
        for (int rank = Group.IdxX; rank < arguments.Ranks; rank += Group.DimX)
        {
            int first = rank * arguments.ExpertsPerRank;
            shared[layout.CombineRow + rank] = shared[layout.ExpertFirsts + (first < TRouting.Experts ? first : TRouting.Experts)];
        }

        Group.Barrier();
    }

    /// <summary>The sender: the rank and the row of a choice's result.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ListSource(ExpertKernelArgs arguments, ArrayView<int> shared, SendLayout layout, ulong list, int i, int k)
    {
        int rank = shared[layout.RankOf + i], row = -1;
        if (rank >= 0)
        {
            int selection = shared[layout.Selections + i];
            row = shared[layout.ExpertFirsts + (rank * arguments.ExpertsPerRank) + ExpertSelection.Expert(selection)] + ExpertSelection.Ordinal(selection);
        }

        // Nothing comes back from a rank that was sent nothing. Safe: both lists have TopK entries for every token.
        GlobalMemory.Store4(arguments.SourceRanks + list + (ulong)(4 * k), rank >= 0 && shared[layout.Writable + rank] != 0 ? (uint)rank : uint.MaxValue);
        GlobalMemory.Store4(arguments.Sources + list + (ulong)(4 * k), (uint)row);
    }

    /// <summary>The receiver: where each source has the results of each expert, a thread a source.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SumSources(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout)
    {
        int experts = arguments.LocalExperts;
        for (int source = Group.IdxX; source < arguments.Ranks; source += Group.DimX)
        {
            int next = 0;
            for (int expert = 0; expert < experts; expert++)
            {
                int at = (source * experts) + expert;
                shared[layout.SourceFirsts + at] = next;
                if (shared[layout.Rows + source] != 0)
                    next += shared[layout.Counts + at];
            }

            if (Grid.IdxX == 0)
                GlobalMemory.Store4(arguments.Received + (ulong)(4 * ((2 * arguments.Ranks) + source)), (uint)next);
        }
    }

    /// <summary>The receiver: copies the results of a batch of rows, each to its own row at the source.</summary>
    public static void Send(ExpertKernelArgs arguments, ArrayView<int> shared, int count, int rowTargets, int terms, int places, int counts)
    {
        int vectors = TRouting.HiddenSize * TRouting.CombineElementBytes / 16;
        for (int i = Group.IdxX; i < count * vectors; i += Group.DimX)
        {
            int at = i / vectors;
            ulong offset = (ulong)(i - (at * vectors)) * 16, from = arguments.Results + offset, to = SharedWords.Address(shared, rowTargets + (2 * at));
            if (to == 0)
                continue;
            int term = terms + (at * TRouting.TopK), place = places + (at * TRouting.TopK), all = shared[counts + at];
            // Two loads are on their way before the first is stored; behind the end the last is loaded again and not stored.
            for (int next = 0; next < all; next += 2)
            {
                int other = next + 1 < all ? next + 1 : next;
                Vector16 a = GlobalMemory.Load16(from + ((ulong)shared[term + next] * (ulong)vectors * 16)), b = GlobalMemory.Load16(from + ((ulong)shared[term + other] * (ulong)vectors * 16));
                GlobalMemory.Store16(to + offset + ((ulong)shared[place + next] * (ulong)TRouting.CombineRowBytes), a);
                if (other != next)
                    GlobalMemory.Store16(to + offset + ((ulong)shared[place + other] * (ulong)TRouting.CombineRowBytes), b);
            }
        }
    }

    /// <summary>The owner: sums a batch of tokens in ascending places of the top-k, each row times its weight with one fma.</summary>
    public static void Sum(ExpertKernelArgs arguments, ArrayView<int> shared, ulong region, int begin, int count, int terms, int counts, int weights)
    {
        int vectors = TRouting.HiddenSize * TRouting.CombineElementBytes / 16, all = count * vectors;
        for (int i = Group.IdxX; i < all; i += Group.DimX)
        {
            int token = i / vectors, term = terms + (token * TRouting.TopK), weight = weights + (token * TRouting.TopK), rows = shared[counts + token];
            ulong from = region + ((ulong)(i - (token * vectors)) * 16), to = CombineReceive<TRouting, NoTrace>.Output(arguments, begin, token, vectors, i - (token * vectors));
            RowSum sum = default;
            if (arguments.Accumulate != 0)
                sum = RowSum.Of<TRouting>(GlobalMemory.Load16(to));
            // Two loads are on their way before the first is added; behind the end the last is loaded again and not added.
            for (int next = 0; next < rows; next += 2)
            {
                int other = next + 1 < rows ? next + 1 : next;
                Vector16 a = GlobalMemory.Load16(from + ((ulong)shared[term + next] * (ulong)TRouting.CombineRowBytes));
                Vector16 b = GlobalMemory.Load16(from + ((ulong)shared[term + other] * (ulong)TRouting.CombineRowBytes));
                sum = RowSum.MultiplyAdd<TRouting>(a, Interop.IntAsFloat((uint)shared[weight + next]), sum);
                if (other != next)
                    sum = RowSum.MultiplyAdd<TRouting>(b, Interop.IntAsFloat((uint)shared[weight + other]), sum);
            }

            GlobalMemory.Store16(to, RowSum.Round<TRouting>(sum));
        }
    }
}
