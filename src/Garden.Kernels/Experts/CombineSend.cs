using System.Runtime.CompilerServices;
using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>
/// The kernel that sends results back: for each received row the weighted sum of its experts' results, added in ascending places
/// of the top-k with one single-precision fma each, rounded once to the combine element.
/// </summary>
/// <remarks>
/// Shared memory, 32-bit words: 4 of its own, [source] rows, [source + 1] first row of each source, [source] 1 when results may be sent,
/// [row of a batch] terms, [row of a batch][TopK] rows, [row of a batch][TopK] weights.
/// </remarks>
/// <typeparam name="TRouting">The routing.</typeparam>
public static unsafe class CombineSend<TRouting>
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    private const int FirstShared = DispatchSend<TRouting, CopiedRows<TRouting>>.FirstShared;

    /// <summary>Bytes of shared memory.</summary>
    public static int SharedBytes(int ranks, int groupThreads) =>
        sizeof(int) * (FirstShared + (3 * ranks) + 1 + (Batch(groupThreads) * (1 + (2 * TRouting.TopK))));

    /// <summary>The kernel. Its grid may have any number of groups.</summary>
    public static void Run(ExpertKernelArgs arguments)
    {
        ArrayView<int> shared = ILGPU.SharedMemory.GetDynamic<int>();
        var state = (ExpertRoundState*)arguments.State;
        uint epoch = state->Epoch;
        int ranks = arguments.Ranks;
        int rowsOf = FirstShared, firstRows = rowsOf + ranks, sendable = firstRows + ranks + 1;
        int batchCounts = sendable + ranks, batchRows = batchCounts + Batch(Group.DimX), batchWeights = batchRows + (Batch(Group.DimX) * TRouting.TopK);
        for (int source = Group.IdxX; source < ranks; source += Group.DimX)
        {
            bool agreed = ExpertWait.Agree(arguments, (int)ExpertPhase.CombineSend, source, ExpertWait.CombineConsumed, epoch - 2 + Peer(arguments, source)->IsStaged, epoch);
            shared[sendable + source] = agreed ? 1 : 0;
            shared[rowsOf + source] = (int)GlobalMemory.Load4(arguments.Received + (ulong)(4 * source));
        }

        Group.Barrier();
        int rows = DispatchReceive<TRouting>.SumRows(shared, rowsOf, firstRows, ranks);
        int each = (rows + Grid.DimX - 1) / Grid.DimX;
        int first = Grid.IdxX * each, end = first + each;
        if (first > rows)
            first = rows;
        if (end > rows)
            end = rows;
        int batch = Batch(Group.DimX);
        for (int begin = first; begin < end; begin += batch)
        {
            int count = end - begin;
            if (count > batch)
                count = batch;
            for (int i = Group.IdxX; i < count; i += Group.DimX)
                List(arguments, shared, begin + i, firstRows, batchCounts + i, batchRows + (i * TRouting.TopK), batchWeights + (i * TRouting.TopK));
            Group.Barrier();
            Sum(arguments, shared, begin, count, firstRows, sendable, batchCounts, batchRows, batchWeights);
            Group.Barrier();
        }

        if (!ExpertWait.IsLastGroup(arguments.State + ExpertRoundState.CombineSendGroupsOffset, shared))
            return;
        for (int source = Group.IdxX; source < ranks; source += Group.DimX)
        {
            bool sent = shared[sendable + source] != 0;
            if (Peer(arguments, source)->IsStaged != 0)
            {
                ulong post = arguments.Posts + ((ulong)source * ExpertPost.SizeInBytes);
                GlobalMemory.Store4(post + 8, GlobalMemory.Load4(arguments.Received + (ulong)(4 * (ranks + source))));
                GlobalMemory.Store4(post + 12, sent ? (uint)(shared[firstRows + source + 1] - shared[firstRows + source]) : uint.MaxValue);
            }
            else if (sent)
            {
                ExpertWait.Tell(arguments, source, ExpertWait.CombineArrived, epoch);
            }
        }

        ExpertWait.Raise(arguments.CombineSent, epoch);
    }

    private static int Batch(int groupThreads) => groupThreads < 32 ? groupThreads : 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ExpertPeerEntry* Peer(ExpertKernelArgs arguments, int rank) =>
        // Safe: the table has an entry for every rank.
        (ExpertPeerEntry*)(arguments.Peers + ((ulong)rank * ExpertPeerEntry.SizeInBytes));

    /// <summary>Lists the terms of one row: its choices on this rank, in ascending places.</summary>
    private static void List(ExpertKernelArgs arguments, ArrayView<int> shared, int row, int firstRows, int batchCount, int batchRow, int batchWeight)
    {
        if (arguments.Output == (int)ExpertOutput.RankRows)
        {
            shared[batchCount] = 1;
            shared[batchRow] = row;
            return;
        }

        int source = DispatchReceive<TRouting>.SourceOf(shared, firstRows, arguments.Ranks, row);
        int place = ((source * arguments.MaxTokens) + row - shared[firstRows + source]) * TRouting.TopK, count = 0;
        for (int k = 0; k < TRouting.TopK; k++)
        {
            int term = (int)GlobalMemory.Load4(arguments.Inverse + (ulong)(4L * (place + k)));
            if (term < 0)
                continue;
            shared[batchRow + count] = term;
            shared[batchWeight + count++] = (int)GlobalMemory.Load4(arguments.InverseWeights + (ulong)(4L * (place + k)));
        }

        shared[batchCount] = count;
    }

    private static void Sum(
        ExpertKernelArgs arguments, ArrayView<int> shared, int begin, int count, int firstRows, int sendable, int batchCounts, int batchRows, int batchWeights)
    {
        int vectors = TRouting.HiddenSize * TRouting.CombineElementBytes / 16;
        for (int i = Group.IdxX; i < count * vectors; i += Group.DimX)
        {
            int at = i / vectors, vector = i - (at * vectors);
            int source = DispatchReceive<TRouting>.SourceOf(shared, firstRows, arguments.Ranks, begin + at);
            if (shared[sendable + source] == 0)
                continue;
            ulong from = arguments.Results + ((ulong)vector * 16);
            int terms = shared[batchCounts + at], term = batchRows + (at * TRouting.TopK), weight = batchWeights + (at * TRouting.TopK);
            ulong to = Row(arguments, source, begin + at - shared[firstRows + source]) + ((ulong)vector * 16);
            if (arguments.Output == (int)ExpertOutput.RankRows)
            {
                GlobalMemory.Store16(to, GlobalMemory.Load16(from + ((ulong)shared[term] * (ulong)vectors * 16)));
                continue;
            }

            RowSum sum = default;
            int next = 0;
            // Two loads at a time are on their way before the first is used.
            for (; next + 1 < terms; next += 2)
            {
                Vector16 one = GlobalMemory.Load16(from + ((ulong)shared[term + next] * (ulong)vectors * 16));
                Vector16 two = GlobalMemory.Load16(from + ((ulong)shared[term + next + 1] * (ulong)vectors * 16));
                sum = RowSum.MultiplyAdd<TRouting>(one, Interop.IntAsFloat((uint)shared[weight + next]), sum);
                sum = RowSum.MultiplyAdd<TRouting>(two, Interop.IntAsFloat((uint)shared[weight + next + 1]), sum);
            }

            if (next < terms)
                sum = RowSum.MultiplyAdd<TRouting>(GlobalMemory.Load16(from + ((ulong)shared[term + next] * (ulong)vectors * 16)), Interop.IntAsFloat((uint)shared[weight + next]), sum);
            GlobalMemory.Store16(to, RowSum.Round<TRouting>(sum));
        }
    }

    /// <summary>Where the results of a source's slot go.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Row(ExpertKernelArgs arguments, int source, int slot)
    {
        ExpertPeerEntry* peer = Peer(arguments, source);
        ulong bytes = (ulong)TRouting.CombineRowBytes;
        if (peer->IsStaged != 0)
            return peer->Combine + ((ulong)slot * bytes);
        int first = ((int*)arguments.Received)[arguments.Ranks + source];
        ulong area = (first & ExpertRankHeader.CombineAreaBit) != 0 ? arguments.CombineAreaBytes : 0;
        return peer->Combine + area + ((ulong)((first & ~ExpertRankHeader.CombineAreaBit) + slot) * bytes);
    }
}
