using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>
/// The kernel that ends a round: for each token the sum of the rows that came back, added in ascending order of ranks in single
/// precision, rounded once. Then the next round may begin.
/// </summary>
/// <remarks>
/// Shared memory, 32-bit words: those of <see cref="PeerWords"/>, [rank] 1 when its results came, [token of a batch][TopK] rows or −1,
/// [token of a batch][TopK] those whose rank came, together, [token of a batch] how many; with ExactCombine [token of a batch][TopK] their weights.
/// </remarks>
/// <typeparam name="TRouting">The routing.</typeparam>
/// <typeparam name="TTrace">What is stamped on the way.</typeparam>
public static unsafe class CombineReceive<TRouting, TTrace>
    where TRouting : unmanaged, IExpertRouting<TRouting>
    where TTrace : unmanaged, IExpertTrace
{
    private const int Phase = (int)ExpertPhase.CombineReceive;

    /// <summary>Bytes of shared memory.</summary>
    public static int SharedBytes(int ranks, int groupThreads) => sizeof(int) * (PeerWords.End(ranks) + ranks + (RowList.Batch(groupThreads) * (1 + ((TRouting.ExactCombine ? 3 : 2) * TRouting.TopK))));

    /// <summary>The kernel. Its grid may have any number of groups.</summary>
    public static void Run(ExpertKernelArgs arguments)
    {
        ExpertWait.Begin();
        Receive(arguments, ILGPU.SharedMemory.GetDynamic<int>());
    }

    /// <summary>What the kernel does, also as the second half of another.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Receive(ExpertKernelArgs arguments, ArrayView<int> shared)
    {
        TTrace.Mark(arguments, Phase, 0);
        uint epoch = GlobalMemory.Load4(arguments.State);
        int tokens = (int)GlobalMemory.Load4(arguments.State + ExpertRoundState.RoundTokensOffset);
        ulong region = arguments.Combine + (DispatchSend<TRouting, CopiedRows<TRouting>, NoTrace>.CombineArea(arguments, epoch) * arguments.CombineAreaBytes);
        if (tokens > arguments.MaxTokens)
            tokens = arguments.MaxTokens;
        int batch = RowList.Batch(Group.DimX), came = PeerWords.End(arguments.Ranks), found = came + arguments.Ranks;
        int terms = found + (batch * TRouting.TopK), counts = terms + (batch * TRouting.TopK), weights = counts + batch;
        int each = (tokens + Grid.DimX - 1) / Grid.DimX;
        int first = Grid.IdxX * each, end = first + each;
        if (end > tokens)
            end = tokens;
        // On their way while the ranks are waited for: this rank's own lists, of the first batch.
        int ownRank = -1, ownRow = -1;
        if (Group.IdxX < (end - first) * TRouting.TopK)
        {
            ulong own = (ulong)(4L * ((first * TRouting.TopK) + Group.IdxX));
            ownRank = (int)GlobalMemory.Load4(arguments.SourceRanks + own);
            ownRow = (int)GlobalMemory.Load4(arguments.Sources + own);
        }

        for (int rank = Group.IdxX; rank < arguments.Ranks; rank += Group.DimX)
            Gate(arguments, shared, epoch, rank, came);
        Group.Barrier();
        ExpertWait.LetNextBegin();
        TTrace.Mark(arguments, Phase, 1);
        for (int begin = first; begin < end; begin += batch)
        {
            int count = end - begin;
            if (count > batch)
                count = batch;
            for (int i = Group.IdxX; i < count * TRouting.TopK; i += Group.DimX)
            {
                // Safe: both lists have TopK entries for every token.
                ulong at = (ulong)(4L * ((begin * TRouting.TopK) + i));
                int rank = ownRank, row = ownRow;
                if (begin != first || i != Group.IdxX)
                {
                    rank = (int)GlobalMemory.Load4(arguments.SourceRanks + at);
                    row = (int)GlobalMemory.Load4(arguments.Sources + at);
                }

                shared[found + i] = rank >= 0 && shared[came + rank] != 0 ? row : -1;
            }

            Group.Barrier();
            for (int i = Group.IdxX; i < count * TRouting.TopK; i += Group.DimX)
            {
                int token = i / TRouting.TopK, own = token * TRouting.TopK, row = shared[found + i];
                int place = RowList.CountValid(shared, found + own, found + i);
                if (row >= 0)
                    shared[terms + own + place] = row;
                if (TRouting.ExactCombine && row >= 0)
                    shared[weights + own + place] = (int)GlobalMemory.Load4(arguments.Weights + (ulong)(4L * ((begin * TRouting.TopK) + i)));
                if (i == own + TRouting.TopK - 1)
                    shared[counts + token] = place + (row >= 0 ? 1 : 0);
            }

            Group.Barrier();
            TTrace.Mark(arguments, Phase, 2);
            if (TRouting.ExactCombine)
                ExactRows<TRouting>.Sum(arguments, shared, region, begin, count, terms, counts, weights);
            else
                Sum(arguments, shared, region, begin, count, terms, counts);
            Group.Barrier();
        }

        TTrace.Mark(arguments, Phase, 3);
        if (!ExpertWait.IsLastGroup(arguments.State + ExpertRoundState.CombineReceiveGroupsOffset, shared))
            return;
        TTrace.Mark(arguments, Phase, 4);
        for (int rank = Group.IdxX; rank < arguments.Ranks; rank += Group.DimX)
        {
            if (shared[came + rank] == 0 && PeerWords.Kind(shared, rank) != PeerWords.Masked)
                LeaveArea(arguments, epoch);
            ExpertWait.Forget(arguments, Phase, rank, epoch);
            ExpertWait.Tell(arguments, shared, rank, ExpertWait.CombineConsumed, epoch);
        }

        if (Group.IdxX == 0)
            GlobalMemory.Store4(arguments.State, epoch + 1);
        TTrace.Mark(arguments, Phase, 5);
    }

    /// <summary>Results of this round may come at any time from now on: the rounds behind it use the other area. Whoever finds a rank missing stores the same.</summary>
    private static void LeaveArea(ExpertKernelArgs arguments, uint epoch)
    {
        if (GlobalMemory.Load4(arguments.State + ExpertRoundState.CombineAreaOffset) != 0 && GlobalMemory.Load4(arguments.State + ExpertRoundState.AreaLeftAfterOffset) != epoch)
            return;
        GlobalMemory.Store4(arguments.State + ExpertRoundState.AreaLeftAfterOffset, epoch);
        GlobalMemory.Store4(arguments.State + ExpertRoundState.CombineAreaOffset, 2 - (epoch & 1));
    }

    private static void Gate(ExpertKernelArgs arguments, ArrayView<int> shared, uint epoch, int rank, int came)
    {
        ulong peer = ExpertPeerEntry.AddressOf(arguments, rank);
        ulong flag = GlobalMemory.Load8(peer + ExpertPeerEntry.IncomingOffset) + ExpertWait.CombineArrived, outgoing = GlobalMemory.Load8(peer + ExpertPeerEntry.OutgoingOffset);
        uint masked = GlobalMemory.Load4(peer + ExpertPeerEntry.IsMaskedOffset), staged = GlobalMemory.Load4(peer + ExpertPeerEntry.IsStagedOffset);
        bool agreed = false;
        if (PeerWords.Keep(arguments, shared, rank, masked, staged, outgoing) != PeerWords.Masked)
        {
            bool mine = ExpertWait.Came(arguments, flag, epoch);
            agreed = ExpertWait.Agree(arguments, Phase, rank, flag, epoch, mine, epoch);
        }

        shared[came + rank] = agreed ? 1 : 0;
    }

    /// <summary>Sums a batch of tokens, two places of a thread at a time; a rank that is missing, or not there, adds nothing.</summary>
    private static void Sum(ExpertKernelArgs arguments, ArrayView<int> shared, ulong region, int begin, int count, int terms, int counts)
    {
        int vectors = TRouting.HiddenSize * TRouting.CombineElementBytes / 16, all = count * vectors;
        ulong to = arguments.Combined + ((ulong)begin * (ulong)vectors * 16);
        for (int i = Group.IdxX; i < all; i += 2 * Group.DimX)
        {
            int other = i + Group.DimX < all ? i + Group.DimX : i;
            int token = i / vectors, otherToken = other / vectors;
            ulong from = region + ((ulong)(i - (token * vectors)) * 16), otherFrom = region + ((ulong)(other - (otherToken * vectors)) * 16);
            int term = terms + (token * TRouting.TopK), otherTerm = terms + (otherToken * TRouting.TopK);
            int rows = shared[counts + token], otherRows = shared[counts + otherToken], most = rows > otherRows ? rows : otherRows;
            RowSum sum = default, otherSum = default;
            if (arguments.Accumulate != 0)
            {
                Vector16 before = GlobalMemory.Load16(to + ((ulong)i * 16)), otherBefore = GlobalMemory.Load16(to + ((ulong)other * 16));
                sum = RowSum.Of<TRouting>(before);
                otherSum = RowSum.Of<TRouting>(otherBefore);
            }

            // Four loads are on their way before the first is added; behind the end the region's begin is loaded and not added.
            for (int next = 0; next < most; next += 2)
            {
                Vector16 a = Term(shared, from, term, next, rows), b = Term(shared, from, term, next + 1, rows);
                Vector16 c = Term(shared, otherFrom, otherTerm, next, otherRows), d = Term(shared, otherFrom, otherTerm, next + 1, otherRows);
                if (next < rows)
                    sum = RowSum.Add<TRouting>(a, sum);
                if (next + 1 < rows)
                    sum = RowSum.Add<TRouting>(b, sum);
                if (next < otherRows)
                    otherSum = RowSum.Add<TRouting>(c, otherSum);
                if (next + 1 < otherRows)
                    otherSum = RowSum.Add<TRouting>(d, otherSum);
            }

            GlobalMemory.Store16(to + ((ulong)i * 16), RowSum.Round<TRouting>(sum));
            if (other != i)
                GlobalMemory.Store16(to + ((ulong)other * 16), RowSum.Round<TRouting>(otherSum));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector16 Term(ArrayView<int> shared, ulong from, int term, int next, int rows) =>
        GlobalMemory.Load16(from + (next < rows ? (ulong)shared[term + next] * (ulong)TRouting.CombineRowBytes : 0));
}
