using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace Garden.Kernels.Experts;

/// <summary>Waits for the lines of all sources and reads them. Flags are looked at by a thread a source; everything else is on its way at once, for all sources.</summary>
/// <typeparam name="TRouting">The routing.</typeparam>
internal static unsafe class ReceiveLines<TRouting>
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    private const int Phase = (int)ExpertPhase.DispatchReceive;

    /// <summary>The slot of a source.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Slot(ExpertKernelArgs arguments, uint epoch, int source)
    {
        int place = source - arguments.FirstOfNode;
        return (uint)place < (uint)arguments.RanksOfNode
            ? arguments.NodeSlots + ((((ulong)(epoch & 1) * (ulong)arguments.RanksOfNode) + (ulong)place) * arguments.SlotBytes)
            : arguments.Dispatch + ((ulong)(place < 0 ? source : source - arguments.RanksOfNode) * arguments.RemoteSlotBytes);
    }

    /// <summary>Waits for the kernel in front and for rows, a thread a source.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Gate(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout)
    {
        // The kernel in front does not change it, and began behind the one that did.
        uint epoch = Group.IdxX < arguments.Ranks ? GlobalMemory.Load4(arguments.State) : 0;
        if (Group.IdxX == 0)
        {
            shared[PeerWords.Epoch] = (int)epoch;
            shared[ReceiveLayout.Refused] = 0;
        }

        KernelOverlap.AwaitPrevious();
        for (int source = Group.IdxX; source < arguments.Ranks; source += Group.DimX)
        {
            bool expected = PeerWords.Kind(shared, source) != PeerWords.Masked;
            ulong flag = PeerWords.Incoming(arguments, shared, source) + ExpertWait.DispatchArrived;
            bool came = expected && ExpertWait.Came(arguments, flag, epoch);
            if (expected && !came)
                came = ExpertWait.Settle(arguments, Phase, source, flag, epoch, epoch);
            shared[layout.Arrived + source] = came ? 1 : 0;
        }
    }

    /// <summary>Reads headers, a thread a source, and counts, a thread each. All threads of a group call it, with a barrier in front and one behind.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout, uint epoch)
    {
        int experts = arguments.LocalExperts;
        bool counted = arguments.Output != (int)ExpertOutput.RankRows;
        for (int at = Group.IdxX; at < arguments.Ranks * arguments.ExpertsPerRank && counted; at += Group.DimX)
        {
            // At / ExpertsPerRank.
            int source = DispatchCount<TRouting>.RankOf(arguments, at), expert = at - (source * arguments.ExpertsPerRank);
            if (expert >= experts)
                continue;
            // A slot that nothing has come to has garbage: kept below, and refused.
            uint count = GlobalMemory.Load4(Slot(arguments, epoch, source) + ExpertRankHeader.SizeInBytes + (ulong)(4 * expert));
            shared[layout.Counts + (source * experts) + expert] = (int)(count > (uint)arguments.MaxTokens ? (uint)arguments.MaxTokens + 1 : count);
        }

        for (int source = Group.IdxX; source < arguments.Ranks; source += Group.DimX)
        {
            Vector16 line = GlobalMemory.Load16(Slot(arguments, epoch, source));
            bool arrived = shared[layout.Arrived + source] != 0;
            // Whoever sees a rank that is not open learns what the first group decides.
            if (arrived && !ExpertWait.IsOpen(arguments, Phase, source, epoch))
            {
                arrived = ExpertWait.Settle(
                    arguments, Phase, source, PeerWords.Incoming(arguments, shared, source) + ExpertWait.DispatchArrived, epoch, epoch);
            }

            shared[layout.Came + source] = arrived ? 1 : 0;
            shared[layout.Headers + (4 * source)] = (int)line.A;
            shared[layout.Headers + (4 * source) + 1] = (int)line.B;
            shared[layout.Headers + (4 * source) + 2] = (int)line.C;
            shared[layout.Headers + (4 * source) + 3] = (int)line.D;
        }
    }

    /// <summary>
    /// Keeps what lines say: no rows when a rank did not come or its line cannot be. A set of lanes of one warp sums the counts of a source, to the largest number
    /// when one of them is above the line's rows. All threads of a group call it, with a barrier in front and one behind.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Keep(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout, uint epoch)
    {
        // A power of two no larger than a warp: the lanes of a set are in one warp, and the first speaks for them.
        int shift = CudaAsm.IsSupported ? 5 : CpuDevice.WarpShift;
        while (shift > 0 && arguments.Ranks << shift > Group.DimX)
            shift--;
        int lanes = 1 << shift, sets = Group.DimX >> shift, lane = Group.IdxX & (lanes - 1), experts = arguments.LocalExperts;
        // Whole warps go round together: sets without a source shuffle too.
        for (int begin = 0; begin < arguments.Ranks; begin += sets)
        {
            int source = begin + (Group.IdxX >> shift);
            uint sum = 0;
            for (int expert = lane; expert < experts && source < arguments.Ranks && arguments.Output != (int)ExpertOutput.RankRows; expert += lanes)
            {
                uint count = (uint)shared[layout.Counts + (source * experts) + expert];
                // A row chooses an expert once: more would reach behind the source's part of the expert.
                sum = count > (uint)shared[layout.Headers + (4 * source) + 1] ? uint.MaxValue : Add(sum, count);
            }

            for (int distance = 1; distance < lanes; distance <<= 1)
                sum = Add(sum, Warp.ShuffleXor(sum, distance));
            if (source < arguments.Ranks && lane == 0)
                KeepLine(arguments, shared, layout, epoch, source, sum);
        }
    }

    /// <summary>The sum, or the largest number: what reached that stays there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Add(uint left, uint right) => left + right < left ? uint.MaxValue : left + right;

    /// <summary>
    /// True when what the line says fits: choices into the output (as many as its rows can have, and as its counts say; rows by rank have no counts), results
    /// into the source's combine region. Kernels write there.
    /// </summary>
    private static bool HasRoom(ExpertKernelArgs arguments, uint rows, uint combineRow, uint choices, uint sum)
    {
        int places = TRouting.TopK < arguments.LocalExperts ? TRouting.TopK : arguments.LocalExperts;
        int most = TRouting.ExactCombine || TRouting.TopK < arguments.Ranks ? TRouting.TopK : arguments.Ranks;
        uint results = TRouting.ExactCombine ? choices : rows;
        bool byRank = arguments.Output == (int)ExpertOutput.RankRows;
        return (byRank || (sum != uint.MaxValue && choices == sum && (ulong)sum <= (ulong)rows * (ulong)places))
            && (combineRow & ~(uint)ExpertRankHeader.CombineAreaBit) + (ulong)results <= (ulong)arguments.MaxTokens * (ulong)most;
    }

    private static void KeepLine(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout, uint epoch, int source, uint sum)
    {
        int header = layout.Headers + (4 * source);
        uint round = (uint)shared[header], rows = (uint)shared[header + 1], combineRow = (uint)shared[header + 2], choices = (uint)shared[header + 3];
        bool agreed = shared[layout.Came + source] != 0;
        bool valid = agreed && round == epoch && rows <= (uint)arguments.MaxTokens && HasRoom(arguments, rows, combineRow, choices, sum);
        shared[layout.Rows + source] = valid ? (int)rows : 0;
        shared[layout.CombineRows + source] = valid ? (int)combineRow : 0;
        if (valid)
            return;
        // Its counts are in the sums by now.
        if (shared[layout.Arrived + source] != 0)
            shared[ReceiveLayout.Refused] = 1;
        shared[layout.Came + source] = 0;
        if (!agreed)
            return;
        // A source that is ahead gave this rank no rows in the round, or its next are here already.
        if (round != epoch && GlobalMemory.Load4(PeerWords.Incoming(arguments, shared, source) + ExpertWait.DispatchArrived) != epoch)
        {
            ExpertWait.ReportMissing(arguments, Phase, source, epoch);
            return;
        }

        GlobalMemory.Store4(arguments.Report + 12, epoch);
        GlobalMemory.Store4(arguments.Report + 16, (uint)source);
    }
}
