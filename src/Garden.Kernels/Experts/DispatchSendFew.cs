using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>
/// <see cref="DispatchSend{TRouting, TRows, TTrace}"/> for rounds of few tokens, where steps that wait for one another are all that costs. Every group looks at all
/// choices at once and gives each expert and each rank a word with a bit for each token: every count and every place is a number of bits. Tokens are
/// dealt to groups in turn, so that a group's first one, its choices and all others are on their way before the number of tokens is known.
/// </summary>
/// <typeparam name="TRouting">The routing.</typeparam>
/// <typeparam name="TRows">How rows are made.</typeparam>
/// <typeparam name="TTrace">What is stamped on the way.</typeparam>
public static unsafe class DispatchSendFew<TRouting, TRows, TTrace>
    where TRouting : unmanaged, IExpertRouting<TRouting>
    where TRows : unmanaged, IDispatchRows<TRouting>
    where TTrace : unmanaged, IExpertTrace
{
    /// <summary>Tokens of a round, at most.</summary>
    public const int Tokens = FewLayout.Words * FewLayout.Bits;

    private const int Phase = (int)ExpertPhase.DispatchSend;

    /// <summary>Bytes of shared memory.</summary>
    public static int SharedBytes(int ranks, int tokens, int groups) => sizeof(int) * FewLayout.Of<TRouting>(ranks, tokens, groups).End;

    /// <summary>The kernel. Its grid may have any number of groups; a group has whole warps.</summary>
    public static void Run(ExpertKernelArgs arguments) => Send(arguments, ILGPU.SharedMemory.GetDynamic<int>());

    private static void Send(ExpertKernelArgs arguments, ArrayView<int> shared)
    {
        TTrace.Mark(arguments, Phase, 0);
        FewLayout layout = FewLayout.Of<TRouting>(arguments.Ranks, arguments.MaxTokens, Grid.DimX);
        for (int i = layout.ChoicesOf + Group.IdxX; i < layout.RankOf; i += Group.DimX)
            shared[i] = 0;
        if (Group.IdxX == 0)
            shared[FewLayout.Dropped] = shared[FewLayout.Invalid] = 0;
        PeerWords.Read(arguments, shared, false);
        KernelOverlap.AwaitPrevious();
        // Safe: the host checked that there is room for all tokens of a round, however many this one has.
        ulong choices = LoadChoices(arguments, Group.IdxX);
        int weight = 0, mine = Grid.IdxX + (Group.IdxX / TRouting.TopK * Grid.DimX);
        if (mine < arguments.MaxTokens)
            weight = LoadWeight(arguments, mine, Group.IdxX % TRouting.TopK);
        EarlyPieces early = default;
        if (Grid.IdxX < arguments.MaxTokens)
            early = TRows.LoadEarly(arguments, Grid.IdxX);
        bool gaveUp = SendGate.Wait(arguments, shared, layout.Writable, layout.Line);
        Group.Barrier();
        KernelOverlap.LetNextBegin();
        TTrace.Mark(arguments, Phase, 1);
        int tokens = shared[PeerWords.Tokens], own = tokens > Grid.IdxX ? 1 : 0;
        if (tokens > Grid.DimX)
            own = (tokens - Grid.IdxX + Grid.DimX - 1) / Grid.DimX;
        for (int pair = Group.IdxX; 2 * pair < tokens * TRouting.TopK; pair += Group.DimX)
            KeepChoices(arguments, shared, layout, pair, tokens * TRouting.TopK, pair == Group.IdxX ? choices : LoadChoices(arguments, pair));
        for (int i = Group.IdxX; i < own * TRouting.TopK; i += Group.DimX)
            shared[layout.Weights + i] = i == Group.IdxX ? weight : LoadWeight(arguments, Grid.IdxX + (i / TRouting.TopK * Grid.DimX), i % TRouting.TopK);
        Group.Barrier();
        TTrace.Mark(arguments, Phase, 2);
        MarkRanks(arguments, shared, layout, tokens);
        CountChoices(arguments, shared, layout);
        Group.Barrier();
        TTrace.Mark(arguments, Phase, 3);
        CountTargets(arguments, shared, layout, own);
        // From the other end of the group: threads that count choices are at its begin.
        for (int rank = Group.DimX - 1 - Group.IdxX; rank < arguments.Ranks; rank += Group.DimX)
        {
            SetLine(arguments, shared, layout, rank);
            ListTokens(arguments, shared, layout, rank, own);
        }

        Group.Barrier();
        TTrace.Mark(arguments, Phase, 4);
        for (int i = 0; i < own; i++)
        {
            TRows.Write(
                arguments, shared, layout.Destinations + (2 * i * TRouting.TopK), layout.Counts + i, Grid.IdxX + (i * Grid.DimX), 1, RowTeam.OfGroup(), i == 0, early);
        }

        WriteChoices(arguments, shared, layout, own);
        WriteLines(arguments, shared, layout);
        TTrace.Mark(arguments, Phase, 5);
        if (Grid.IdxX == 0)
            Report(arguments, shared, layout, tokens);
        int last = ExpertWait.IsLastGroup(arguments.State + ExpertRoundState.DispatchSendGroupsOffset, shared, gaveUp);
        if (last == ExpertWait.NotLast)
            return;
        TTrace.Mark(arguments, Phase, 6);
        SendGate.Tell(arguments, shared, (uint)shared[PeerWords.Epoch], last);
        TTrace.Mark(arguments, Phase, 7);
    }

    /// <summary>Two choices.</summary>
    private static ulong LoadChoices(ExpertKernelArgs arguments, int pair)
    {
        int choices = arguments.MaxTokens * TRouting.TopK;
        ulong at = arguments.TopK + (ulong)(8L * pair);
        if ((2 * pair) + 1 < choices)
            return GlobalMemory.Load8(at);
        return 2 * pair < choices ? GlobalMemory.Load4(at) : 0;
    }

    private static int LoadWeight(ExpertKernelArgs arguments, int token, int k) =>
        (int)GlobalMemory.Load4(arguments.Weights + (ulong)(4L * ((token * TRouting.TopK) + k)));

    private static void KeepChoices(ExpertKernelArgs arguments, ArrayView<int> shared, FewLayout layout, int pair, int end, ulong choices)
    {
        KeepChoice(arguments, shared, layout, 2 * pair, (int)(uint)choices);
        if ((2 * pair) + 1 < end)
            KeepChoice(arguments, shared, layout, (2 * pair) + 1, (int)(uint)(choices >> 32));
    }

    private static void KeepChoice(ExpertKernelArgs arguments, ArrayView<int> shared, FewLayout layout, int i, int expert)
    {
        int token = i / TRouting.TopK, k = i - (token * TRouting.TopK), rank = -1;
        bool exists = (uint)expert < (uint)TRouting.Experts, dropped = false;
        if (exists)
        {
            rank = DispatchCount<TRouting>.RankOf(arguments, expert);
            dropped = shared[layout.Writable + rank] == 0;
            // Where no place came in time, a choice keeps the one it has, for groups that may write to the rank.
            if (dropped && PeerWords.Kind(shared, rank) == PeerWords.Masked)
                rank = -1;
        }

        shared[layout.Experts + i] = expert;
        shared[layout.RankOf + (k * FewLayout.Stride) + token] = rank;
        if (rank >= 0)
            Atomic.Or(ref shared[layout.ExpertTokens + (expert * FewLayout.Words) + (token / FewLayout.Bits)], 1 << (token % FewLayout.Bits));
        // The first group tells.
        if (Grid.IdxX != 0)
            return;
        if (dropped)
            Atomic.Add(ref shared[FewLayout.Dropped], 1);
        if (!exists && expert != -1)
            Atomic.Add(ref shared[FewLayout.Invalid], 1);
    }

    /// <summary>Gives each rank the bits of the tokens that go there: a warp for each word.</summary>
    private static void MarkRanks(ExpertKernelArgs arguments, ArrayView<int> shared, FewLayout layout, int tokens)
    {
        int lanes = Warp.WarpSize, warps = Group.DimX / lanes, lane = Group.IdxX % lanes;
        for (int at = Group.IdxX / lanes; at < arguments.Ranks * FewLayout.Words; at += warps)
        {
            int rank = at / FewLayout.Words, first = at % FewLayout.Words * FewLayout.Bits;
            uint bits = 0;
            for (int bit = lane; bit < FewLayout.Bits; bit += lanes)
            {
                bool goes = false;
                for (int k = 0; k < TRouting.TopK && first + bit < tokens; k++)
                    goes |= shared[layout.RankOf + (k * FewLayout.Stride) + first + bit] == rank;
                bits |= goes ? 1u << bit : 0;
            }

            bits = SharedWords.OrOfWarp(bits);
            if (lane == 0)
                shared[layout.RankTokens + at] = (int)bits;
        }
    }

    /// <summary>Sums the choices of the experts of each rank whose line this group writes, a thread an expert.</summary>
    private static void CountChoices(ExpertKernelArgs arguments, ArrayView<int> shared, FewLayout layout)
    {
        for (int expert = Group.IdxX; expert < TRouting.Experts && Grid.IdxX < arguments.Ranks; expert += Group.DimX)
        {
            int rank = DispatchCount<TRouting>.RankOf(arguments, expert), count = CountBits(shared, layout.ExpertTokens + (expert * FewLayout.Words));
            if (count != 0 && IsOurs(arguments, rank))
                Atomic.Add(ref shared[layout.ChoicesOf + rank], count);
        }
    }

    /// <summary>True for ranks whose lines this group writes.</summary>
    private static bool IsOurs(ExpertKernelArgs arguments, int rank) => Grid.DimX >= arguments.Ranks ? rank == Grid.IdxX : rank % Grid.DimX == Grid.IdxX;

    private static int CountBits(ArrayView<int> shared, int at)
    {
        int count = 0;
        for (int word = 0; word < FewLayout.Words; word++)
            count += IntrinsicMath.PopCount(shared[at + word]);
        return count;
    }

    /// <summary>Bits of the tokens ahead.</summary>
    private static int CountAhead(ArrayView<int> shared, int at, int token)
    {
        int count = 0, word = token / FewLayout.Bits;
        for (int before = 0; before < word; before++)
            count += IntrinsicMath.PopCount(shared[at + before]);
        return count + IntrinsicMath.PopCount(shared[at + word] & ((1 << (token % FewLayout.Bits)) - 1));
    }

    private static bool Goes(ArrayView<int> shared, FewLayout layout, int rank, int token) =>
        ((shared[layout.RankTokens + (rank * FewLayout.Words) + (token / FewLayout.Bits)] >> (token % FewLayout.Bits)) & 1) != 0;

    /// <summary>Counts the ranks that the group's tokens go to, and ends their lists, a thread a place.</summary>
    private static void CountTargets(ExpertKernelArgs arguments, ArrayView<int> shared, FewLayout layout, int own)
    {
        for (int i = Group.IdxX; i < own * TRouting.TopK; i += Group.DimX)
        {
            int at = i / TRouting.TopK, k = i - (at * TRouting.TopK), token = Grid.IdxX + (at * Grid.DimX), all = 0;
            for (int rank = 0; rank < arguments.Ranks; rank++)
                all += Goes(shared, layout, rank, token) ? 1 : 0;
            if (k == 0)
                shared[layout.Counts + at] = all;
            if (k < all)
                continue;
            // Safe: both lists have TopK entries for every token.
            ulong list = (ulong)(4L * ((token * TRouting.TopK) + k));
            GlobalMemory.Store4(arguments.SourceRanks + list, uint.MaxValue);
            GlobalMemory.Store4(arguments.Sources + list, uint.MaxValue);
        }
    }

    /// <summary>Sums rows of the ranks ahead: where the rank's results and staged line begin.</summary>
    private static void SetLine(ExpertKernelArgs arguments, ArrayView<int> shared, FewLayout layout, int rank)
    {
        int row = 0, line = 0;
        for (int other = 0; other < rank; other++)
        {
            int rows = CountBits(shared, layout.RankTokens + (other * FewLayout.Words));
            row += rows;
            if (PeerWords.Kind(shared, other) == PeerWords.Staged)
                line += (int)((arguments.LineBytes + ((ulong)rows * (ulong)TRouting.RowBytes) + ExpertBuffers.LineAlignment - 1) / ExpertBuffers.LineAlignment);
        }

        shared[layout.CombineRow + rank] = row;
        shared[layout.StagedLine + rank] = line;
        shared[layout.Totals + rank] = CountBits(shared, layout.RankTokens + (rank * FewLayout.Words));
        if (PeerWords.Kind(shared, rank) == PeerWords.Staged)
        {
            ulong first = SharedWords.Address(shared, layout.Line + (2 * rank));
            SharedWords.SetAddress(shared, layout.Line + (2 * rank), first + ((ulong)line * ExpertBuffers.LineAlignment));
        }
    }

    /// <summary>Gives the group's tokens their slots on a rank, and lists where results will be.</summary>
    private static void ListTokens(ExpertKernelArgs arguments, ArrayView<int> shared, FewLayout layout, int rank, int own)
    {
        for (int at = 0; at < own; at++)
        {
            int token = Grid.IdxX + (at * Grid.DimX), place = 0;
            if (!Goes(shared, layout, rank, token))
                continue;
            for (int other = 0; other < rank; other++)
                place += Goes(shared, layout, other, token) ? 1 : 0;
            int slot = CountAhead(shared, layout.RankTokens + (rank * FewLayout.Words), token), target = (at * TRouting.TopK) + place;
            bool writable = shared[layout.Writable + rank] != 0;
            // Safe: both lists have TopK entries for every token. Nothing comes back from a rank that was sent nothing.
            ulong list = (ulong)(4L * ((token * TRouting.TopK) + place));
            GlobalMemory.Store4(arguments.SourceRanks + list, writable ? (uint)rank : uint.MaxValue);
            GlobalMemory.Store4(arguments.Sources + list, (uint)(shared[layout.CombineRow + rank] + slot));
            shared[layout.Targets + target] = rank;
            SharedWords.SetAddress(
                shared, layout.Destinations + (2 * target),
                writable ? SharedWords.Address(shared, layout.Line + (2 * rank)) + arguments.LineBytes + ((ulong)slot * (ulong)TRouting.RowBytes) : 0);
        }
    }

    /// <summary>Writes what rows tell besides payload and scales, a thread a choice and destination.</summary>
    private static void WriteChoices(ExpertKernelArgs arguments, ArrayView<int> shared, FewLayout layout, int own)
    {
        int words = TRouting.TopK * TRouting.TopK;
        // From the other end: those threads have least to do with a row.
        for (int i = Group.DimX - 1 - Group.IdxX; i < own * words; i += Group.DimX)
        {
            int at = i / words, place = (i - (at * words)) / TRouting.TopK, k = i % TRouting.TopK, token = Grid.IdxX + (at * Grid.DimX);
            if (place >= shared[layout.Counts + at])
                continue;
            int target = (at * TRouting.TopK) + place, rank = shared[layout.Targets + target], selection = ExpertSelection.None;
            ulong destination = SharedWords.Address(shared, layout.Destinations + (2 * target));
            if (destination == 0)
                continue;
            uint weight = 0;
            if (shared[layout.RankOf + (k * FewLayout.Stride) + token] == rank)
            {
                int expert = shared[layout.Experts + (token * TRouting.TopK) + k];
                selection = ExpertSelection.Pack(expert - (rank * arguments.ExpertsPerRank), CountAhead(shared, layout.ExpertTokens + (expert * FewLayout.Words), token));
                weight = (uint)shared[layout.Weights + (at * TRouting.TopK) + k];
            }

            GlobalMemory.Store4(destination + (ulong)(TRouting.SelectionsOffset + (4 * k)), (uint)selection);
            GlobalMemory.Store4(destination + (ulong)(TRouting.WeightsOffset + (4 * k)), weight);
        }
    }

    /// <summary>Writes the lines ahead of the rows; ranks are dealt to the groups. Counts: a thread an expert; headers: a thread a rank.</summary>
    private static void WriteLines(ExpertKernelArgs arguments, ArrayView<int> shared, FewLayout layout)
    {
        if (Grid.IdxX >= arguments.Ranks)
            return;
        for (int expert = Group.IdxX; expert < TRouting.Experts; expert += Group.DimX)
        {
            int rank = DispatchCount<TRouting>.RankOf(arguments, expert);
            if (!IsOurs(arguments, rank) || shared[layout.Writable + rank] == 0)
                continue;
            ulong counts = SharedWords.Address(shared, layout.Line + (2 * rank)) + ExpertRankHeader.SizeInBytes;
            GlobalMemory.Store4(
                counts + (ulong)(4 * (expert - (rank * arguments.ExpertsPerRank))), (uint)CountBits(shared, layout.ExpertTokens + (expert * FewLayout.Words)));
        }

        for (int rank = Grid.IdxX + (Group.IdxX * Grid.DimX); rank < arguments.Ranks; rank += Group.DimX * Grid.DimX)
        {
            if (shared[layout.Writable + rank] == 0)
                continue;
            GlobalMemory.Store16(SharedWords.Address(shared, layout.Line + (2 * rank)), new Vector16
            {
                A = (uint)shared[PeerWords.Epoch],
                B = (uint)shared[layout.Totals + rank],
                C = (uint)shared[layout.CombineRow + rank] | (shared[PeerWords.Area] != 0 ? (uint)ExpertRankHeader.CombineAreaBit : 0),
                D = (uint)shared[layout.ChoicesOf + rank],
            });
        }
    }

    /// <summary>Tells what was not sent, and the network what is staged. The first group does.</summary>
    private static void Report(ExpertKernelArgs arguments, ArrayView<int> shared, FewLayout layout, int tokens)
    {
        for (int rank = Group.IdxX; rank < arguments.Ranks; rank += Group.DimX)
        {
            if (PeerWords.Kind(shared, rank) != PeerWords.Staged)
                continue;
            ulong post = arguments.Posts + ((ulong)rank * ExpertPost.SizeInBytes);
            GlobalMemory.Store4(post, (uint)shared[layout.StagedLine + rank]);
            GlobalMemory.Store4(post + 4, (uint)shared[layout.Totals + rank]);
        }

        if (Group.IdxX == 0)
            SendGate.Report(arguments, (uint)shared[PeerWords.Epoch], tokens, shared[FewLayout.Dropped], shared[FewLayout.Invalid]);
    }
}
