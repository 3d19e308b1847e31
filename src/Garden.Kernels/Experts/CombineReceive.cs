using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>
/// The kernel that ends a round: for each token the sum of the rows that came back, added in ascending order of ranks in single
/// precision, rounded once. Then the next round may begin.
/// </summary>
/// <remarks>Shared memory, 32-bit words: 4 of its own, [rank] 1 when its results came.</remarks>
/// <typeparam name="TRouting">The routing.</typeparam>
public static unsafe class CombineReceive<TRouting>
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    private const int FirstShared = DispatchSend<TRouting, CopiedRows<TRouting>>.FirstShared;

    /// <summary>Bytes of shared memory.</summary>
    public static int SharedBytes(int ranks) => sizeof(int) * (FirstShared + ranks);

    /// <summary>The kernel. Its grid may have any number of groups.</summary>
    public static void Run(ExpertKernelArgs arguments)
    {
        ArrayView<int> shared = ILGPU.SharedMemory.GetDynamic<int>();
        var state = (ExpertRoundState*)arguments.State;
        uint epoch = state->Epoch;
        int tokens = state->Tokens;
        if (tokens > arguments.MaxTokens)
            tokens = arguments.MaxTokens;
        for (int rank = Group.IdxX; rank < arguments.Ranks; rank += Group.DimX)
            shared[FirstShared + rank] = ExpertWait.Agree(arguments, (int)ExpertPhase.CombineReceive, rank, ExpertWait.CombineArrived, epoch, epoch) ? 1 : 0;
        Group.Barrier();
        int vectors = TRouting.HiddenSize * TRouting.CombineElementBytes / 16;
        ulong region = arguments.Combine + (DispatchSend<TRouting, CopiedRows<TRouting>>.CombineArea(state, epoch) * arguments.CombineAreaBytes);
        // Below 2²²: the combine of all tokens fits one write.
        int all = tokens * vectors, step = Grid.DimX * Group.DimX;
        for (int i = (Grid.IdxX * Group.DimX) + Group.IdxX; i < all; i += step)
        {
            int token = i / vectors, vector = i - (token * vectors);
            ulong to = arguments.Combined + ((ulong)i * 16);
            RowSum sum = default;
            if (arguments.Accumulate != 0)
                sum = RowSum.Of<TRouting>(GlobalMemory.Load16(to));
            // Safe: both lists have TopK entries for every token.
            int* sources = (int*)arguments.Sources + (token * TRouting.TopK), ranks = (int*)arguments.SourceRanks + (token * TRouting.TopK);
            ulong from = region + ((ulong)vector * 16);
            int k = 0;
            // Two loads at a time are on their way before the first is used; a rank that is missing, or not there, adds nothing.
            for (; k + 1 < TRouting.TopK && ranks[k + 1] >= 0; k += 2)
            {
                Vector16 one = GlobalMemory.Load16(from + ((ulong)sources[k] * (ulong)TRouting.CombineRowBytes));
                Vector16 two = GlobalMemory.Load16(from + ((ulong)sources[k + 1] * (ulong)TRouting.CombineRowBytes));
                if (shared[FirstShared + ranks[k]] != 0)
                    sum = RowSum.Add<TRouting>(one, sum);
                if (shared[FirstShared + ranks[k + 1]] != 0)
                    sum = RowSum.Add<TRouting>(two, sum);
            }

            if (k < TRouting.TopK && ranks[k] >= 0 && shared[FirstShared + ranks[k]] != 0)
                sum = RowSum.Add<TRouting>(GlobalMemory.Load16(from + ((ulong)sources[k] * (ulong)TRouting.CombineRowBytes)), sum);

            GlobalMemory.Store16(to, RowSum.Round<TRouting>(sum));
        }

        if (!ExpertWait.IsLastGroup(arguments.State + ExpertRoundState.CombineReceiveGroupsOffset, shared))
            return;
        for (int rank = Group.IdxX; rank < arguments.Ranks; rank += Group.DimX)
            ExpertWait.Tell(arguments, rank, ExpertWait.CombineConsumed, epoch);
        ExpertWait.Raise(arguments.CombineReceived, epoch);
        if (Group.IdxX == 0)
            state->Epoch = epoch + 1;
    }
}
