using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>
/// The kernel that sends tokens to the ranks of their experts: each token once to each rank, in ascending order of tokens, as
/// <see cref="ExpertDispatch"/> says. Every group counts all choices by itself, so none waits for another: cheaper than a grid-wide wait.
/// </summary>
/// <remarks>
/// Shared memory, 32-bit words: 4 of its own, [copy][rank] rows ahead of the group's tokens, [copy][rank] rows from there on, [expert]
/// choices ahead, [expert] choices from there on, [rank] choices, [rank] first combine row, [rank] staged line, [rank] 1 when the slot may
/// be written. The second word of its own counts the choices that are sent.
/// </remarks>
/// <typeparam name="TRouting">The routing.</typeparam>
/// <typeparam name="TRows">How rows are made.</typeparam>
public static unsafe class DispatchSend<TRouting, TRows>
    where TRouting : unmanaged, IExpertRouting<TRouting>
    where TRows : unmanaged, IDispatchRows<TRouting>
{
    internal const int FirstShared = 4;

    private const int Sent = 1;

    /// <summary>Bytes of shared memory.</summary>
    public static int SharedBytes(int ranks, int copies) => sizeof(int) * (FirstShared + (2 * copies * ranks) + (2 * TRouting.Experts) + (4 * ranks));

    /// <summary>The kernel. Its grid may have any number of groups; a group has whole warps.</summary>
    public static void Run(ExpertKernelArgs arguments)
    {
        ArrayView<int> shared = ILGPU.SharedMemory.GetDynamic<int>();
        var state = (ExpertRoundState*)arguments.State;
        uint epoch = state->Epoch;
        int tokens = state->Tokens;
        if (tokens > arguments.MaxTokens)
            tokens = arguments.MaxTokens;
        int ranks = arguments.Ranks, copies = arguments.CounterCopies;
        int rowsAhead = FirstShared, rowsFrom = rowsAhead + (copies * ranks);
        int choicesAhead = rowsFrom + (copies * ranks), choicesFrom = choicesAhead + TRouting.Experts;
        int choicesOf = choicesFrom + TRouting.Experts, combineRow = choicesOf + ranks, stagedLine = combineRow + ranks, writable = stagedLine + ranks;
        int each = (tokens + Grid.DimX - 1) / Grid.DimX;
        int first = Grid.IdxX * each;
        int end = first + each;
        if (first > tokens)
            first = tokens;
        if (end > tokens)
            end = tokens;

        if (Group.IdxX == 0)
            shared[Sent] = 0;
        for (int i = rowsAhead + Group.IdxX; i < combineRow; i += Group.DimX)
            shared[i] = 0;
        for (int rank = Group.IdxX; rank < ranks; rank += Group.DimX)
        {
            uint staged = Peer(arguments, rank)->IsStaged;
            // A slot has two parities, staging one.
            shared[writable + rank] = ExpertWait.Agree(arguments, (int)ExpertPhase.DispatchSend, rank, ExpertWait.DispatchConsumed, epoch - 2 + staged, epoch) ? 1 : 0;
        }

        Group.Barrier();
        Count(arguments, shared, tokens, first);
        Group.Barrier();
        SumCopies(shared, ranks, copies);
        Group.Barrier();
        SumRanks(arguments, shared, combineRow, stagedLine);
        PlaceRows(arguments, shared, first, end);
        PlaceChoices(arguments, shared, choicesAhead, first, end);
        Group.Barrier();
        for (int token = first + Group.IdxX; token < end; token += Group.DimX)
            ListDestinations(arguments, shared, epoch, token, combineRow, stagedLine, writable);
        Group.Barrier();
        TRows.Write(arguments, first, end);
        WriteChoices(arguments, first, end);
        WriteCounts(arguments, shared, epoch, choicesOf, stagedLine, writable);
        Group.Barrier();
        WriteHeaders(arguments, shared, epoch, choicesOf, combineRow, stagedLine, writable);
        if (!ExpertWait.IsLastGroup(arguments.State + ExpertRoundState.DispatchSendGroupsOffset, shared))
            return;
        for (int rank = Group.IdxX; rank < ranks; rank += Group.DimX)
        {
            bool sent = shared[writable + rank] != 0;
            if (Peer(arguments, rank)->IsStaged != 0)
            {
                ulong post = arguments.Posts + ((ulong)rank * ExpertPost.SizeInBytes);
                GlobalMemory.Store4(post, sent ? (uint)shared[stagedLine + rank] : uint.MaxValue);
                GlobalMemory.Store4(post + 4, (uint)Total(shared, ranks, copies, rank));
            }
            else if (sent)
            {
                ExpertWait.Tell(arguments, rank, ExpertWait.DispatchArrived, epoch);
            }
        }

        if (Group.IdxX == 0)
            Report(arguments, shared[Sent], tokens, epoch);
        ExpertWait.Raise(arguments.DispatchSent, epoch);
    }

    /// <summary>The rank that holds an expert, or −1 when the choice is masked, its expert does not exist or its rank is masked.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int RankOf(ExpertKernelArgs arguments, int expert)
    {
        if ((uint)expert >= (uint)TRouting.Experts)
            return -1;
        int rank = (int)((uint)expert / (uint)arguments.ExpertsPerRank);
        return Peer(arguments, rank)->IsMasked != 0 ? -1 : rank;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ExpertPeerEntry* Peer(ExpertKernelArgs arguments, int rank) =>
        // Safe: the table has an entry for every rank, and ranks come from checked experts.
        (ExpertPeerEntry*)(arguments.Peers + ((ulong)rank * ExpertPeerEntry.SizeInBytes));

    /// <summary>True when no earlier choice of the token is on the rank.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsFirst(ExpertKernelArgs arguments, int* chosen, int k, int rank)
    {
        int begin = rank * arguments.ExpertsPerRank;
        for (int earlier = 0; earlier < k; earlier++)
        {
            if ((uint)(chosen[earlier] - begin) < (uint)arguments.ExpertsPerRank && (uint)chosen[earlier] < (uint)TRouting.Experts)
                return false;
        }

        return true;
    }

    /// <summary>The area of the combine region that the round's results come back to.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint CombineArea(ExpertRoundState* state, uint epoch) => state->CombineArea == 0 ? epoch & 1 : state->CombineArea - 1;

    private static void Count(ExpertKernelArgs arguments, ArrayView<int> shared, int tokens, int first)
    {
        int ranks = arguments.Ranks, copies = arguments.CounterCopies;
        int copy = FirstShared + (Group.IdxX % copies * ranks);
        int choices = FirstShared + (2 * copies * ranks), sent = 0;
        for (int token = Group.IdxX; token < tokens; token += Group.DimX)
        {
            // Safe: the host checked that there is room for all tokens of a round.
            int* chosen = (int*)arguments.TopK + (token * TRouting.TopK);
            int rowsOf = token < first ? copy : copy + (copies * ranks);
            int choicesOf = token < first ? choices : choices + TRouting.Experts;
            for (int k = 0; k < TRouting.TopK; k++)
            {
                int expert = chosen[k], rank = RankOf(arguments, expert);
                if (rank < 0)
                    continue;
                sent++;
                Atomic.Add(ref shared[choicesOf + expert], 1);
                if (IsFirst(arguments, chosen, k, rank))
                    Atomic.Add(ref shared[rowsOf + rank], 1);
            }
        }

        if (sent != 0)
            Atomic.Add(ref shared[Sent], sent);
    }

    /// <summary>Sums the copies of each rank's counters into the first.</summary>
    private static void SumCopies(ArrayView<int> shared, int ranks, int copies)
    {
        for (int i = Group.IdxX; i < 2 * ranks; i += Group.DimX)
        {
            int at = i < ranks ? FirstShared + i : FirstShared + (copies * ranks) + i - ranks;
            int sum = 0;
            for (int copy = 0; copy < copies; copy++)
                sum += shared[at + (copy * ranks)];
            shared[at] = sum;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Total(ArrayView<int> shared, int ranks, int copies, int rank) => shared[FirstShared + rank] + shared[FirstShared + (copies * ranks) + rank];

    /// <summary>Where each rank's results and staged line begin: sums over the ranks before it.</summary>
    private static void SumRanks(ExpertKernelArgs arguments, ArrayView<int> shared, int combineRow, int stagedLine)
    {
        for (int rank = Group.IdxX; rank < arguments.Ranks; rank += Group.DimX)
        {
            int rows = 0, lines = 0;
            for (int before = 0; before < rank; before++)
            {
                int total = Total(shared, arguments.Ranks, arguments.CounterCopies, before);
                rows += total;
                if (Peer(arguments, before)->IsStaged != 0)
                    lines += (int)((arguments.LineBytes + ((ulong)total * (ulong)TRouting.RowBytes) + ExpertBuffers.LineAlignment - 1) / ExpertBuffers.LineAlignment);
            }

            shared[combineRow + rank] = rows;
            shared[stagedLine + rank] = lines;
        }
    }

    /// <summary>Gives the group's tokens their slots, a thread a rank.</summary>
    private static void PlaceRows(ExpertKernelArgs arguments, ArrayView<int> shared, int first, int end)
    {
        for (int rank = Group.IdxX; rank < arguments.Ranks; rank += Group.DimX)
        {
            int next = shared[FirstShared + rank], begin = rank * arguments.ExpertsPerRank;
            bool masked = Peer(arguments, rank)->IsMasked != 0;
            for (int token = first; token < end; token++)
            {
                int* chosen = (int*)arguments.TopK + (token * TRouting.TopK);
                int* slots = (int*)arguments.Slots + (token * TRouting.TopK);
                bool isFirst = !masked;
                for (int k = 0; k < TRouting.TopK; k++)
                {
                    int expert = chosen[k];
                    if ((uint)(expert - begin) >= (uint)arguments.ExpertsPerRank || (uint)expert >= (uint)TRouting.Experts)
                        continue;
                    slots[k] = isFirst ? next : -1;
                    next += isFirst ? 1 : 0;
                    isFirst = false;
                }
            }
        }
    }

    /// <summary>Gives the group's choices their place in their expert, a thread an expert.</summary>
    private static void PlaceChoices(ExpertKernelArgs arguments, ArrayView<int> shared, int choicesAhead, int first, int end)
    {
        for (int expert = Group.IdxX; expert < TRouting.Experts; expert += Group.DimX)
        {
            int next = shared[choicesAhead + expert];
            for (int i = first * TRouting.TopK; i < end * TRouting.TopK; i++)
            {
                if (((int*)arguments.TopK)[i] == expert)
                    ((int*)arguments.Ordinals)[i] = next++;
            }
        }
    }

    /// <summary>Lists where a token's row goes and where its results will be, in ascending order of ranks.</summary>
    private static void ListDestinations(ExpertKernelArgs arguments, ArrayView<int> shared, uint epoch, int token, int combineRow, int stagedLine, int writable)
    {
        int at = token * TRouting.TopK;
        // Safe: all five lists have TopK entries for every token.
        int* chosen = (int*)arguments.TopK + at, slots = (int*)arguments.Slots + at, ranks = (int*)arguments.SourceRanks + at, sources = (int*)arguments.Sources + at;
        ulong* destinations = (ulong*)arguments.Destinations + at;
        int count = 0;
        for (int k = 0; k < TRouting.TopK; k++)
        {
            int rank = RankOf(arguments, chosen[k]);
            if (rank < 0 || slots[k] < 0)
                continue;
            int place = count++;
            for (; place > 0 && ranks[place - 1] > rank; place--)
            {
                ranks[place] = ranks[place - 1];
                sources[place] = sources[place - 1];
                destinations[place] = destinations[place - 1];
            }

            ranks[place] = rank;
            sources[place] = shared[combineRow + rank] + slots[k];
            destinations[place] = shared[writable + rank] == 0
                ? 0 : Line(arguments, shared, epoch, rank, stagedLine) + arguments.LineBytes + ((ulong)slots[k] * (ulong)TRouting.RowBytes);
        }

        for (; count < TRouting.TopK; count++)
        {
            ranks[count] = sources[count] = -1;
            destinations[count] = 0;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Line(ExpertKernelArgs arguments, ArrayView<int> shared, uint epoch, int rank, int stagedLine)
    {
        ExpertPeerEntry* peer = Peer(arguments, rank);
        return peer->IsStaged != 0
            ? peer->Dispatch + ((ulong)shared[stagedLine + rank] * ExpertBuffers.LineAlignment)
            : peer->Dispatch + ((epoch & 1) * (ulong)arguments.Ranks * arguments.SlotBytes);
    }

    /// <summary>Writes what rows tell besides payload and scales, a thread a choice and destination.</summary>
    private static void WriteChoices(ExpertKernelArgs arguments, int first, int end)
    {
        int words = TRouting.TopK * TRouting.TopK;
        for (int i = Group.IdxX; i < (end - first) * words; i += Group.DimX)
        {
            int token = first + (i / words), place = i % words / TRouting.TopK, k = i % TRouting.TopK;
            int at = token * TRouting.TopK;
            ulong destination = ((ulong*)arguments.Destinations)[at + place];
            if (destination == 0)
                continue;
            int rank = ((int*)arguments.SourceRanks)[at + place], expert = ((int*)arguments.TopK)[at + k];
            int local = expert - (rank * arguments.ExpertsPerRank);
            bool here = (uint)local < (uint)arguments.ExpertsPerRank && (uint)expert < (uint)TRouting.Experts;
            int selection = here ? ExpertSelection.Pack(local, ((int*)arguments.Ordinals)[at + k]) : ExpertSelection.None;
            GlobalMemory.Store4(destination + (ulong)(TRouting.SelectionsOffset + (4 * k)), (uint)selection);
            GlobalMemory.Store4(destination + (ulong)(TRouting.WeightsOffset + (4 * k)), here ? GlobalMemory.Load4(arguments.Weights + (ulong)(4 * (at + k))) : 0);
        }
    }

    /// <summary>Writes the counts of the lines ahead of the rows; ranks are dealt to the groups.</summary>
    private static void WriteCounts(ExpertKernelArgs arguments, ArrayView<int> shared, uint epoch, int choicesOf, int stagedLine, int writable)
    {
        int choices = FirstShared + (2 * arguments.CounterCopies * arguments.Ranks);
        for (int rank = Grid.IdxX; rank < arguments.Ranks; rank += Grid.DimX)
        {
            if (shared[writable + rank] == 0)
                continue;
            ulong line = Line(arguments, shared, epoch, rank, stagedLine);
            int begin = rank * arguments.ExpertsPerRank;
            int experts = TRouting.Experts - begin;
            if (experts > arguments.ExpertsPerRank)
                experts = arguments.ExpertsPerRank;
            int sum = 0;
            for (int expert = Group.IdxX; expert < experts; expert += Group.DimX)
            {
                int count = shared[choices + begin + expert] + shared[choices + TRouting.Experts + begin + expert];
                GlobalMemory.Store4(line + ExpertRankHeader.SizeInBytes + (ulong)(4 * expert), (uint)count);
                sum += count;
            }

            if (sum != 0)
                Atomic.Add(ref shared[choicesOf + rank], sum);
        }
    }

    /// <summary>Writes the headers of the lines, a thread a rank.</summary>
    private static void WriteHeaders(ExpertKernelArgs arguments, ArrayView<int> shared, uint epoch, int choicesOf, int combineRow, int stagedLine, int writable)
    {
        for (int i = Group.IdxX; (i * Grid.DimX) + Grid.IdxX < arguments.Ranks; i += Group.DimX)
        {
            int rank = (i * Grid.DimX) + Grid.IdxX;
            if (shared[writable + rank] == 0)
                continue;
            ulong line = Line(arguments, shared, epoch, rank, stagedLine);
            GlobalMemory.Store4(line, epoch);
            GlobalMemory.Store4(line + 4, (uint)Total(shared, arguments.Ranks, arguments.CounterCopies, rank));
            GlobalMemory.Store4(line + 8, (uint)shared[combineRow + rank] | (CombineArea((ExpertRoundState*)arguments.State, epoch) != 0 ? (uint)ExpertRankHeader.CombineAreaBit : 0));
            GlobalMemory.Store4(line + 12, (uint)shared[choicesOf + rank]);
        }
    }

    /// <summary>Counts what was not sent.</summary>
    private static void Report(ExpertKernelArgs arguments, int sent, int tokens, uint epoch)
    {
        int dropped = 0, invalid = 0;
        // Nothing is missing in the usual round: the sums say so without another look at the choices.
        if (sent != tokens * TRouting.TopK)
        {
            for (int i = 0; i < tokens * TRouting.TopK; i++)
            {
                int expert = ((int*)arguments.TopK)[i];
                if (expert < -1 || expert >= TRouting.Experts)
                    invalid++;
                else if (expert != -1 && RankOf(arguments, expert) < 0)
                    dropped++;
            }
        }

        GlobalMemory.Store4(arguments.Report, epoch);
        GlobalMemory.Store4(arguments.Report + 4, (uint)dropped);
        GlobalMemory.Store4(arguments.Report + 8, (uint)invalid);
    }
}
