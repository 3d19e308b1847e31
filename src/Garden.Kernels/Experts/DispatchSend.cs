using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>
/// The kernel that sends tokens to the ranks of their experts: each token once to each rank, in ascending order of tokens, as
/// <see cref="ExpertDispatch"/> says. Every group counts all choices by itself, so none waits for another: cheaper than a grid-wide wait.
/// Rounds of few tokens have a kernel of their own, <see cref="DispatchSendFew{TRouting, TRows, TTrace}"/>.
/// </summary>
/// <typeparam name="TRouting">The routing.</typeparam>
/// <typeparam name="TRows">How rows are made.</typeparam>
/// <typeparam name="TTrace">What is stamped on the way: nothing, but for a timeline.</typeparam>
public static unsafe class DispatchSend<TRouting, TRows, TTrace>
    where TRouting : unmanaged, IExpertRouting<TRouting>
    where TRows : unmanaged, IDispatchRows<TRouting>
    where TTrace : unmanaged, IExpertTrace
{
    private const int Phase = (int)ExpertPhase.DispatchSend;

    /// <summary>Bytes of shared memory.</summary>
    public static int SharedBytes(int ranks, int copies) => sizeof(int) * SendLayout.Of<TRouting>(ranks, copies).End;

    /// <summary>The kernel. Its grid may have any number of groups; a group has whole warps.</summary>
    public static void Run(ExpertKernelArgs arguments) => Send(arguments, ILGPU.SharedMemory.GetDynamic<int>());

    /// <summary>What the kernel does, also as one half of another.</summary>
    internal static void Send(ExpertKernelArgs arguments, ArrayView<int> shared)
    {
        TTrace.Mark(arguments, Phase, 0);
        SendLayout layout = SendLayout.Of<TRouting>(arguments.Ranks, arguments.CounterCopies);
        for (int i = layout.Zeroed + Group.IdxX; i < layout.ZeroedEnd; i += Group.DimX)
            shared[i] = 0;
        if (Group.IdxX == 0)
            shared[SendLayout.Dropped] = shared[SendLayout.Invalid] = 0;
        PeerWords.Read(arguments, shared, false);
        KernelOverlap.AwaitPrevious();
        bool gaveUp = SendGate.Wait(arguments, shared, layout.Writable, layout.Line);
        Group.Barrier();
        KernelOverlap.LetNextBegin();
        TTrace.Mark(arguments, Phase, 1);
        uint epoch = (uint)shared[PeerWords.Epoch];
        int tokens = shared[PeerWords.Tokens], each = (tokens + Grid.DimX - 1) / Grid.DimX;
        int first = Grid.IdxX * each, end = first + each;
        if (first > tokens)
            first = tokens;
        if (end > tokens)
            end = tokens;
        // A group without tokens counts for the lines it writes, if there are any.
        if (first < end || Grid.IdxX < arguments.Ranks)
        {
            DispatchCount<TRouting>.Count(arguments, shared, layout, tokens, first);
            Group.Barrier();
            TTrace.Mark(arguments, Phase, 2);
            SumRanks(arguments, shared, layout);
            if (TRouting.ExactCombine)
                ExactRows<TRouting>.SumExperts(arguments, shared, layout);
            if (arguments.HasStaging != 0)
                SetStagedLines(arguments, shared, layout);
            WriteCounts(arguments, shared, layout);
            Group.Barrier();
            TTrace.Mark(arguments, Phase, 3);
            WriteHeaders(arguments, shared, layout, epoch);
            for (int begin = first; begin < end; begin += SendLayout.Batch)
            {
                int count = end - begin;
                if (count > SendLayout.Batch)
                    count = SendLayout.Batch;
                DispatchPlace<TRouting>.Place(arguments, shared, layout, begin, count);
                TTrace.Mark(arguments, Phase, 4);
                TRows.Write(arguments, shared, layout.Destinations, layout.Counts, begin, count, RowTeam.OfWarp(), false, default);
                if (begin + count == end)
                    break;
                Group.Barrier();
                DispatchPlace<TRouting>.Advance(arguments, shared, layout);
                Group.Barrier();
            }
        }

        TTrace.Mark(arguments, Phase, 5);
        if (Grid.IdxX == 0)
            Report(arguments, shared, layout, epoch, tokens);
        int last = ExpertWait.IsLastGroup(arguments.State + ExpertRoundState.DispatchSendGroupsOffset, shared, gaveUp);
        if (last == ExpertWait.NotLast)
            return;
        TTrace.Mark(arguments, Phase, 6);
        SendGate.Tell(arguments, shared, epoch, last);
        TTrace.Mark(arguments, Phase, 7);
    }

    /// <summary>Sums rows and choices over their copies and over ranks: where each rank's results and staged line begin.</summary>
    private static void SumRanks(ExpertKernelArgs arguments, ArrayView<int> shared, SendLayout layout)
    {
        int ranks = arguments.Ranks, copies = arguments.CounterCopies;
        for (int rank = Group.IdxX; rank < ranks; rank += Group.DimX)
        {
            int ahead = 0, from = 0;
            for (int copy = 0; copy < copies; copy++)
            {
                ahead += shared[layout.RowsAhead + (copy * ranks) + rank];
                from += shared[layout.RowsFrom + (copy * ranks) + rank];
            }

            shared[layout.RowsAhead + rank] = ahead;
            shared[layout.Totals + rank] = ahead + from;
            shared[layout.Lines + rank] = PeerWords.Kind(shared, rank) == PeerWords.Staged
                ? (int)((arguments.LineBytes + ((ulong)(ahead + from) * (ulong)TRouting.RowBytes) + ExpertBuffers.LineAlignment - 1) / ExpertBuffers.LineAlignment) : 0;
        }

        Group.Barrier();
        SharedWords.Sum(shared, layout.Totals, layout.CombineRow, ranks, 1, 0);
        SharedWords.Sum(shared, layout.Lines, layout.StagedLine, ranks, 1, 1);
        Group.Barrier();
    }

    /// <summary>Where the lines of ranks on other nodes are: behind those of the ranks before.</summary>
    private static void SetStagedLines(ExpertKernelArgs arguments, ArrayView<int> shared, SendLayout layout)
    {
        for (int rank = Group.IdxX; rank < arguments.Ranks; rank += Group.DimX)
        {
            if (PeerWords.Kind(shared, rank) != PeerWords.Staged)
                continue;
            ulong line = SharedWords.Address(shared, layout.Line + (2 * rank)) + ((ulong)shared[layout.StagedLine + rank] * ExpertBuffers.LineAlignment);
            SharedWords.SetAddress(shared, layout.Line + (2 * rank), line);
        }

        Group.Barrier();
    }

    /// <summary>Writes the counts of the lines ahead of the rows, a thread an expert; ranks are dealt to the groups.</summary>
    private static void WriteCounts(ExpertKernelArgs arguments, ArrayView<int> shared, SendLayout layout)
    {
        // Most groups of a large grid have none.
        if (Grid.IdxX >= arguments.Ranks)
            return;
        for (int expert = Group.IdxX; expert < TRouting.Experts; expert += Group.DimX)
        {
            int rank = DispatchCount<TRouting>.RankOf(arguments, expert);
            if (rank % Grid.DimX != Grid.IdxX || shared[layout.Writable + rank] == 0)
                continue;
            int count = shared[layout.ChoicesAhead + expert] + shared[layout.ChoicesFrom + expert];
            ulong counts = SharedWords.Address(shared, layout.Line + (2 * rank)) + ExpertRankHeader.SizeInBytes;
            GlobalMemory.Store4(counts + (ulong)(4 * (expert - (rank * arguments.ExpertsPerRank))), (uint)count);
            if (count != 0)
                Atomic.Add(ref shared[layout.ChoicesOf + rank], count);
        }
    }

    /// <summary>Writes the headers of the lines, a thread a rank.</summary>
    private static void WriteHeaders(ExpertKernelArgs arguments, ArrayView<int> shared, SendLayout layout, uint epoch)
    {
        for (int i = Group.IdxX; (i * Grid.DimX) + Grid.IdxX < arguments.Ranks; i += Group.DimX)
        {
            int rank = (i * Grid.DimX) + Grid.IdxX;
            if (shared[layout.Writable + rank] == 0)
                continue;
            GlobalMemory.Store16(SharedWords.Address(shared, layout.Line + (2 * rank)), new Vector16
            {
                A = epoch,
                B = (uint)shared[layout.Totals + rank],
                C = (uint)shared[layout.CombineRow + rank] | (shared[PeerWords.Area] != 0 ? (uint)ExpertRankHeader.CombineAreaBit : 0),
                D = (uint)shared[layout.ChoicesOf + rank],
            });
        }
    }

    /// <summary>Tells what was not sent, and the network what is staged. The first group does.</summary>
    private static void Report(ExpertKernelArgs arguments, ArrayView<int> shared, SendLayout layout, uint epoch, int tokens)
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
            SendGate.Report(arguments, epoch, tokens, shared[SendLayout.Dropped], shared[SendLayout.Invalid]);
    }
}
