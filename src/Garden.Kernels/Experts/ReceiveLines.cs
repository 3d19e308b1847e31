using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>Waits for the lines of all sources and reads them: a set of lanes of one warp for each source.</summary>
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

    /// <summary>Puts rows, combine rows and counts of all sources into shared memory. All threads of a group call it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout, uint epoch)
    {
        // A power of two no larger than a warp: the lanes of a set are in one warp, and the first speaks for them.
        int lanes = Warp.WarpSize;
        while (lanes > 1 && lanes * arguments.Ranks > Group.DimX)
            lanes >>= 1;
        int sets = Group.DimX / lanes, lane = Group.IdxX % lanes;
        // Whole warps go round together: sets without a source shuffle too.
        for (int begin = 0; begin < arguments.Ranks; begin += sets)
            ReadOne(arguments, shared, layout, epoch, begin + (Group.IdxX / lanes), lane, lanes);
    }

    private static void ReadOne(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout, uint epoch, int source, int lane, int lanes)
    {
        bool exists = source < arguments.Ranks;
        ulong peer = ExpertPeerEntry.AddressOf(arguments, exists ? source : 0), slot = Slot(arguments, epoch, exists ? source : 0);
        ulong flag = GlobalMemory.Load8(peer + ExpertPeerEntry.IncomingOffset) + ExpertWait.DispatchArrived, outgoing = GlobalMemory.Load8(peer + ExpertPeerEntry.OutgoingOffset);
        uint masked = GlobalMemory.Load4(peer + ExpertPeerEntry.IsMaskedOffset), staged = GlobalMemory.Load4(peer + ExpertPeerEntry.IsStagedOffset);
        bool expected = exists && masked == 0;
        bool came = expected && ExpertWait.Came(arguments, flag, epoch);
        int agreed = 0;
        uint sum = 0;
        if (expected)
            sum = ReadCounts(arguments, shared, layout, slot, source, lane, lanes);
        Vector16 line = default;
        if (exists && lane == 0)
        {
            line = GlobalMemory.Load16(slot);
            PeerWords.Keep(arguments, shared, source, masked, staged, outgoing);
            agreed = expected && ExpertWait.Agree(arguments, Phase, source, flag, epoch, came, epoch) ? 1 : 0;
            // It was read before the flag was seen.
            if (agreed != 0 && !came)
                line = GlobalMemory.Load16(slot);
        }

        agreed = Warp.Shuffle(agreed, Warp.LaneIdx - lane);
        if (agreed != 0 && !came)
        {
            DeviceFlag.LoadAcquireSystem(flag);
            sum = ReadCounts(arguments, shared, layout, slot, source, lane, lanes);
        }

        for (int distance = 1; distance < lanes; distance <<= 1)
            sum += Warp.ShuffleXor(sum, distance);
        if (exists && lane == 0)
            KeepLine(arguments, shared, layout, epoch, source, agreed != 0, flag, line, sum);
    }

    /// <summary>Reads the lane's counts; returns their sum. A count that cannot be becomes one that no line's sum allows.</summary>
    private static uint ReadCounts(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout, ulong slot, int source, int lane, int lanes)
    {
        uint sum = 0, most = (uint)arguments.MaxTokens;
        if (arguments.Output == (int)ExpertOutput.RankRows)
            return sum;
        int experts = arguments.LocalExperts;
        for (int expert = lane; expert < experts; expert += lanes)
        {
            uint count = GlobalMemory.Load4(slot + ExpertRankHeader.SizeInBytes + (ulong)(4 * expert));
            count = count > most ? most + 1 : count;
            shared[layout.Counts + (source * experts) + expert] = (int)count;
            sum += count;
        }

        return sum;
    }

    /// <summary>
    /// True when what the line says fits: choices into the output (as many as its rows can have, and as its counts say; rows by rank have no counts), results
    /// into the source's combine region. Kernels write there.
    /// </summary>
    private static bool HasRoom(ExpertKernelArgs arguments, Vector16 line, uint sum)
    {
        int places = TRouting.TopK < arguments.LocalExperts ? TRouting.TopK : arguments.LocalExperts;
        int most = TRouting.ExactCombine || TRouting.TopK < arguments.Ranks ? TRouting.TopK : arguments.Ranks;
        uint results = TRouting.ExactCombine ? line.D : line.B;
        bool byRank = arguments.Output == (int)ExpertOutput.RankRows;
        return (byRank || (line.D == sum && (ulong)sum <= (ulong)line.B * (ulong)places))
            && (line.C & ~(uint)ExpertRankHeader.CombineAreaBit) + (ulong)results <= (ulong)arguments.MaxTokens * (ulong)most;
    }

    /// <summary>Keeps what a line says: no rows when its rank did not come or the line cannot be.</summary>
    private static void KeepLine(ExpertKernelArgs arguments, ArrayView<int> shared, ReceiveLayout layout, uint epoch, int source, bool agreed, ulong flag, Vector16 line, uint sum)
    {
        bool valid = agreed && line.A == epoch && line.B <= (uint)arguments.MaxTokens && HasRoom(arguments, line, sum);
        shared[layout.Came + source] = valid ? 1 : 0;
        shared[layout.Rows + source] = valid ? (int)line.B : 0;
        shared[layout.CombineRows + source] = valid ? (int)line.C : 0;
        if (!agreed || valid)
            return;
        // A source that is ahead gave this rank no rows in the round, or its next are here already.
        if (line.A != epoch && GlobalMemory.Load4(flag) != epoch)
        {
            ExpertWait.ReportMissing(arguments, Phase, source, epoch);
            return;
        }

        GlobalMemory.Store4(arguments.Report + 12, epoch);
        GlobalMemory.Store4(arguments.Report + 16, (uint)source);
    }
}
