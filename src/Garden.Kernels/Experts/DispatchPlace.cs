using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>
/// Gives a batch of up to <see cref="SendLayout.Batch"/> tokens their slots, a thread a choice: every expert and every rank has a word with a bit for
/// each token of the batch, so a place is a count of the bits below.
/// </summary>
/// <typeparam name="TRouting">The routing.</typeparam>
internal static unsafe class DispatchPlace<TRouting>
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    /// <summary>Works out where rows go, tells the rows their choices, and lists where results will be. All threads of a group call it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Place(ExpertKernelArgs arguments, ArrayView<int> shared, SendLayout layout, int begin, int count)
    {
        int choices = count * TRouting.TopK;
        for (int i = Group.IdxX; i < choices; i += Group.DimX)
        {
            // Safe: the host checked that there is room for all tokens of a round.
            ulong at = (ulong)(4L * ((begin * TRouting.TopK) + i));
            int expert = (int)GlobalMemory.Load4(arguments.TopK + at), weight = (int)GlobalMemory.Load4(arguments.Weights + at);
            KeepChoice(arguments, shared, layout, i, expert, weight);
        }

        Group.Barrier();
        for (int i = Group.IdxX; i < choices; i += Group.DimX)
            FindFirst(arguments, shared, layout, i);
        Group.Barrier();
        for (int i = Group.IdxX; i < choices; i += Group.DimX)
            ListDestination(arguments, shared, layout, begin, i);
        Group.Barrier();
        WriteChoices(arguments, shared, layout, count);
    }

    /// <summary>Goes on behind the batch. All threads of a group call it, with a barrier in front and one behind.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Advance(ExpertKernelArgs arguments, ArrayView<int> shared, SendLayout layout)
    {
        for (int expert = Group.IdxX; expert < TRouting.Experts; expert += Group.DimX)
        {
            shared[layout.ChoicesAhead + expert] += IntrinsicMath.PopCount(shared[layout.ExpertTokens + expert]);
            shared[layout.ExpertTokens + expert] = 0;
        }

        for (int rank = Group.IdxX; rank < arguments.Ranks; rank += Group.DimX)
        {
            shared[layout.RowsAhead + rank] += IntrinsicMath.PopCount(shared[layout.RankTokens + rank]);
            shared[layout.RankTokens + rank] = 0;
        }
    }

    private static void KeepChoice(ExpertKernelArgs arguments, ArrayView<int> shared, SendLayout layout, int i, int expert, int weight)
    {
        int rank = -1;
        if ((uint)expert < (uint)TRouting.Experts)
        {
            rank = DispatchCount<TRouting>.RankOf(arguments, expert);
            if (PeerWords.Kind(shared, rank) == PeerWords.Masked)
                rank = -1;
        }

        shared[layout.RankOf + i] = rank;
        shared[layout.Weights + i] = weight;
        // Until the next step: the expert.
        shared[layout.Targets + i] = expert;
        if (rank < 0)
            return;
        int bit = 1 << (i / TRouting.TopK);
        Atomic.Or(ref shared[layout.ExpertTokens + expert], bit);
        Atomic.Or(ref shared[layout.RankTokens + rank], bit);
    }

    private static void FindFirst(ExpertKernelArgs arguments, ArrayView<int> shared, SendLayout layout, int i)
    {
        int rank = shared[layout.RankOf + i], token = i / TRouting.TopK;
        bool first = rank >= 0;
        for (int earlier = token * TRouting.TopK; earlier < i; earlier++)
            first &= shared[layout.RankOf + earlier] != rank;
        shared[layout.Firsts + i] = first ? rank : -1;
        int selection = ExpertSelection.None;
        if (rank >= 0)
        {
            int expert = shared[layout.Targets + i];
            selection = ExpertSelection.Pack(
                expert - (rank * arguments.ExpertsPerRank),
                shared[layout.ChoicesAhead + expert] + IntrinsicMath.PopCount(shared[layout.ExpertTokens + expert] & ((1 << token) - 1)));
        }

        shared[layout.Selections + i] = selection;
    }

    private static void ListDestination(ExpertKernelArgs arguments, ArrayView<int> shared, SendLayout layout, int begin, int i)
    {
        int token = i / TRouting.TopK, k = i - (token * TRouting.TopK), rank = shared[layout.Firsts + i], place = 0, all = 0;
        for (int other = token * TRouting.TopK; other < (token + 1) * TRouting.TopK; other++)
        {
            int at = shared[layout.Firsts + other];
            all += at >= 0 ? 1 : 0;
            place += at >= 0 && at < rank ? 1 : 0;
        }

        if (k == 0)
            shared[layout.Counts + token] = all;
        // Safe: both lists have TopK entries for every token.
        ulong list = (ulong)(4L * ((begin + token) * TRouting.TopK));
        if (TRouting.ExactCombine)
            ExactRows<TRouting>.ListSource(arguments, shared, layout, list, i, k);
        else if (k >= all)
        {
            GlobalMemory.Store4(arguments.SourceRanks + list + (ulong)(4 * k), uint.MaxValue);
            GlobalMemory.Store4(arguments.Sources + list + (ulong)(4 * k), uint.MaxValue);
        }

        if (rank < 0)
            return;
        int slot = shared[layout.RowsAhead + rank] + IntrinsicMath.PopCount(shared[layout.RankTokens + rank] & ((1 << token) - 1));
        if (!TRouting.ExactCombine)
        {
            // Nothing comes back from a rank that was sent nothing.
            GlobalMemory.Store4(arguments.SourceRanks + list + (ulong)(4 * place), shared[layout.Writable + rank] == 0 ? uint.MaxValue : (uint)rank);
            GlobalMemory.Store4(arguments.Sources + list + (ulong)(4 * place), (uint)(shared[layout.CombineRow + rank] + slot));
        }

        int target = (token * TRouting.TopK) + place;
        shared[layout.Targets + target] = rank;
        SharedWords.SetAddress(
            shared, layout.Destinations + (2 * target),
            shared[layout.Writable + rank] == 0
                ? 0 : SharedWords.Address(shared, layout.Line + (2 * rank)) + arguments.LineBytes + ((ulong)slot * (ulong)TRouting.RowBytes));
    }

    /// <summary>Writes what rows tell besides payload and scales, a thread a choice and destination.</summary>
    private static void WriteChoices(ExpertKernelArgs arguments, ArrayView<int> shared, SendLayout layout, int count)
    {
        const int Bytes = sizeof(int);
        int words = TRouting.TopK * TRouting.TopK;
        for (int i = Group.IdxX; i < count * words; i += Group.DimX)
        {
            int token = i / words, place = (i - (token * words)) / TRouting.TopK, k = i % TRouting.TopK;
            if (place >= shared[layout.Counts + token])
                continue;
            int target = (token * TRouting.TopK) + place, choice = (token * TRouting.TopK) + k;
            ulong destination = SharedWords.Address(shared, layout.Destinations + (2 * target));
            if (destination == 0)
                continue;
            bool here = shared[layout.RankOf + choice] == shared[layout.Targets + target];
            GlobalMemory.Store4(destination + (ulong)(TRouting.SelectionsOffset + (Bytes * k)), here ? (uint)shared[layout.Selections + choice] : uint.MaxValue);
            GlobalMemory.Store4(destination + (ulong)(TRouting.WeightsOffset + (Bytes * k)), here ? (uint)shared[layout.Weights + choice] : 0);
        }
    }
}
