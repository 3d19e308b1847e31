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
/// What the round's first kernel left is read before the kernel in front has ended: that one began behind it.
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
    public static void Run(ExpertKernelArgs arguments) => Receive(arguments, ILGPU.SharedMemory.GetDynamic<int>());

    /// <summary>What the kernel does, also as one half of another.</summary>
    internal static void Receive(ExpertKernelArgs arguments, ArrayView<int> shared)
    {
        TTrace.Mark(arguments, Phase, 0);
        int batch = RowList.Batch(Group.DimX), came = PeerWords.End(arguments.Ranks), found = came + arguments.Ranks;
        int terms = found + (batch * TRouting.TopK), counts = terms + (batch * TRouting.TopK), weights = counts + batch;
        PeerWords.Read(arguments, shared, true);
        // Tokens are dealt out as a full round has them, a group's one grid behind the other, so that the first are known without the round's number.
        int ownRank = -1, ownRow = -1, ownToken = Grid.IdxX + (Group.IdxX / TRouting.TopK * Grid.DimX);
        if (Group.IdxX < batch * TRouting.TopK && ownToken < arguments.MaxTokens)
        {
            ulong own = (ulong)(4L * ((ownToken * TRouting.TopK) + (Group.IdxX % TRouting.TopK)));
            ownRank = (int)GlobalMemory.Load4(arguments.SourceRanks + own);
            ownRow = (int)GlobalMemory.Load4(arguments.Sources + own);
        }

        Gate(arguments, shared, came);
        Group.Barrier();
        KernelOverlap.LetNextBegin();
        TTrace.Mark(arguments, Phase, 1);
        uint epoch = (uint)shared[PeerWords.Epoch];
        // Nobody waits for the end: the group that begins last makes the next round the one under way, when all groups know this one's number and area.
        uint begun = 0;
        if (Group.IdxX == 0)
            begun = (uint)Atomic.Add(ref *(int*)(arguments.State + ExpertRoundState.CombineReceiveGroupsOffset), 1);
        if (Grid.IdxX == 0)
        {
            for (int rank = Group.IdxX; rank < arguments.Ranks; rank += Group.DimX)
                ExpertWait.Forget(arguments, Phase, rank, epoch);
        }

        int tokens = shared[PeerWords.Tokens];
        ulong region = arguments.Combine + ((ulong)shared[PeerWords.Area] * arguments.CombineAreaBytes);
        for (int begin = Grid.IdxX; begin < tokens; begin += batch * Grid.DimX)
        {
            for (int i = Group.IdxX; i < batch * TRouting.TopK; i += Group.DimX)
            {
                int token = begin + (i / TRouting.TopK * Grid.DimX), rank = ownRank, row = ownRow;
                if (token >= tokens)
                    continue;
                if (begin != Grid.IdxX || i != Group.IdxX)
                {
                    // Safe: both lists have TopK entries for every token.
                    ulong at = (ulong)(4L * ((token * TRouting.TopK) + (i % TRouting.TopK)));
                    rank = (int)GlobalMemory.Load4(arguments.SourceRanks + at);
                    row = (int)GlobalMemory.Load4(arguments.Sources + at);
                }

                shared[found + i] = rank >= 0 && shared[came + rank] != 0 ? row : -1;
            }

            int count = (tokens - begin + Grid.DimX - 1) / Grid.DimX;
            if (count > batch)
                count = batch;
            Group.Barrier();
            for (int i = Group.IdxX; i < count * TRouting.TopK; i += Group.DimX)
            {
                int token = i / TRouting.TopK, own = token * TRouting.TopK, row = shared[found + i];
                int place = RowList.CountValid(shared, found + own, found + i);
                if (row >= 0)
                    shared[terms + own + place] = row;
                if (TRouting.ExactCombine && row >= 0)
                    shared[weights + own + place] = (int)GlobalMemory.Load4(arguments.Weights + (ulong)(4L * (((begin + (token * Grid.DimX)) * TRouting.TopK) + (i - own))));
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
        if (Group.IdxX == 0 && begun == (uint)Grid.DimX - 1)
            EndRound(arguments, shared, came);
    }

    private static void EndRound(ExpertKernelArgs arguments, ArrayView<int> shared, int came)
    {
        uint epoch = (uint)shared[PeerWords.Epoch];
        bool missing = false;
        for (int rank = 0; rank < arguments.Ranks; rank++)
            missing |= shared[came + rank] == 0 && PeerWords.Kind(shared, rank) != PeerWords.Masked;
        if (missing)
            LeaveArea(arguments, shared, epoch);
        GlobalMemory.Store4(arguments.State + ExpertRoundState.CombineReceiveGroupsOffset, 0);
        GlobalMemory.Store4(arguments.State, epoch + 1);
    }

    /// <summary>Results of this round may come at any time from now on: the rounds behind it use the other area.</summary>
    private static void LeaveArea(ExpertKernelArgs arguments, ArrayView<int> shared, uint epoch)
    {
        uint area = GlobalMemory.Load4(arguments.State + ExpertRoundState.CombineAreaOffset), after = GlobalMemory.Load4(arguments.State + ExpertRoundState.AreaLeftAfterOffset);
        // The area that was left before is free again once nobody owes it anything; until then there is none to go to.
        if (area != 0 && (after == epoch || !HasAll(arguments, shared, after)))
            return;
        GlobalMemory.Store4(arguments.State + ExpertRoundState.AreaLeftAfterOffset, epoch);
        GlobalMemory.Store4(arguments.State + ExpertRoundState.CombineAreaOffset, area == 0 ? 2 - (epoch & 1) : 3 - area);
    }

    /// <summary>True when nothing of a round can land any more.</summary>
    private static bool HasAll(ExpertKernelArgs arguments, ArrayView<int> shared, uint epoch)
    {
        for (int rank = 0; rank < arguments.Ranks; rank++)
        {
            int kind = PeerWords.Kind(shared, rank);
            if (kind == PeerWords.Masked)
            {
                if (GlobalMemory.Load4(ExpertPeerEntry.AddressOf(arguments, rank) + ExpertPeerEntry.IsMaskedOffset) == ExpertPeerEntry.MaskedLate)
                    return false;
                continue;
            }

            // A rank of another node has answered all it was told, or returned results itself.
            ulong flag = PeerWords.Incoming(arguments, shared, rank) + (kind == PeerWords.Staged ? ExpertWait.DispatchConsumed : ExpertWait.CombineArrived);
            if ((int)(GlobalMemory.Load4(flag) - epoch) < 0)
                return false;
        }

        return true;
    }

    /// <summary>Waits for results, a thread a rank. The kernel in front is waited for here.</summary>
    private static void Gate(ExpertKernelArgs arguments, ArrayView<int> shared, int came)
    {
        uint epoch = 0;
        if (Group.IdxX < arguments.Ranks)
        {
            epoch = GlobalMemory.Load4(arguments.State);
            if (Group.IdxX == 0)
            {
                int tokens = (int)GlobalMemory.Load4(arguments.State + ExpertRoundState.RoundTokensOffset);
                shared[PeerWords.Area] = (int)ExpertWait.CombineArea(arguments, epoch);
                shared[PeerWords.Epoch] = (int)epoch;
                shared[PeerWords.Tokens] = tokens > arguments.MaxTokens ? arguments.MaxTokens : tokens;
            }
        }

        KernelOverlap.AwaitPrevious();
        for (int rank = Group.IdxX; rank < arguments.Ranks; rank += Group.DimX)
        {
            bool agreed = false;
            if (PeerWords.Kind(shared, rank) != PeerWords.Masked)
            {
                ulong flag = PeerWords.Incoming(arguments, shared, rank) + ExpertWait.CombineArrived;
                agreed = ExpertWait.Came(arguments, flag, epoch) && ExpertWait.IsOpen(arguments, Phase, rank, epoch);
                if (!agreed)
                    agreed = ExpertWait.Settle(arguments, Phase, rank, flag, epoch, epoch);
            }

            shared[came + rank] = agreed ? 1 : 0;
        }
    }

    /// <summary>Sums a batch of tokens, two places of a thread at a time; a rank that is missing, or not there, adds nothing.</summary>
    private static void Sum(ExpertKernelArgs arguments, ArrayView<int> shared, ulong region, int begin, int count, int terms, int counts)
    {
        int vectors = TRouting.HiddenSize * TRouting.CombineElementBytes / 16;
        // The group shares a token while there are few; then a warp has its own.
        RowTeam team = count * Warp.WarpSize < Group.DimX ? RowTeam.OfGroup() : RowTeam.OfWarp();
        for (int token = team.First; token < count; token += team.Step)
        {
            int term = terms + (token * TRouting.TopK), rows = shared[counts + token];
            for (int i = team.Lane; i < vectors; i += 2 * team.Width)
            {
                int other = i + team.Width < vectors ? i + team.Width : i;
                ulong from = region + ((ulong)(uint)i * 16), otherFrom = region + ((ulong)(uint)other * 16);
                ulong to = Output(arguments, begin, token, vectors, i), otherTo = Output(arguments, begin, token, vectors, other);
                RowSum sum = default, otherSum = default;
                if (arguments.Accumulate != 0)
                {
                    Vector16 before = GlobalMemory.Load16(to), otherBefore = GlobalMemory.Load16(otherTo);
                    sum = RowSum.Of<TRouting>(before);
                    otherSum = RowSum.Of<TRouting>(otherBefore);
                }

                // Four loads are on their way before the first is added; behind the end the region's begin is loaded and not added.
                for (int next = 0; next < rows; next += 2)
                {
                    Vector16 a = Term(shared, from, term, next, rows), b = Term(shared, from, term, next + 1, rows);
                    Vector16 c = Term(shared, otherFrom, term, next, rows), d = Term(shared, otherFrom, term, next + 1, rows);
                    sum = RowSum.Add<TRouting>(a, sum);
                    otherSum = RowSum.Add<TRouting>(c, otherSum);
                    if (next + 1 >= rows)
                        continue;
                    sum = RowSum.Add<TRouting>(b, sum);
                    otherSum = RowSum.Add<TRouting>(d, otherSum);
                }

                GlobalMemory.Store16(to, RowSum.Round<TRouting>(sum));
                if (other != i)
                    GlobalMemory.Store16(otherTo, RowSum.Round<TRouting>(otherSum));
            }
        }
    }

    /// <summary>Where a place of a batch's token is in the output.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Output(ExpertKernelArgs arguments, int begin, int token, int vectors, int place) =>
        arguments.Combined + ((((ulong)(uint)(begin + (token * Grid.DimX)) * (ulong)vectors) + (ulong)(uint)place) * 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector16 Term(ArrayView<int> shared, ulong from, int term, int next, int rows) =>
        GlobalMemory.Load16(from + (next < rows ? (ulong)shared[term + next] * (ulong)TRouting.CombineRowBytes : 0));
}
