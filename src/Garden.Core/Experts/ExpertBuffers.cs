namespace Garden.Experts;

/// <summary>
/// Sizes and places of the memory that dispatch and combine use on one rank, as pure functions of ranks and tokens. Everything is
/// for the worst case, so nothing flows back to a sender but "consumed". Sizes are in bytes unless named otherwise; kernels use
/// the functions of places too.
/// </summary>
/// <remarks>
/// What peers write into. The dispatch region has a slot for each source: a line (<see cref="ExpertRankHeader"/>, counts) and Tokens rows,
/// written by one write; a token crosses once to each rank, whatever the number of its experts there. Sources of other nodes have one slot
/// each, in which the results for them are put together too: a source sends rows when the answer to the last has come, so the slot is at any
/// time either its or the receiver's. Sources of the same node have two, [epoch parity][source], behind those. The combine region is [epoch
/// parity] of rows by destination rank, packed: a sender knows how many rows each rank owes it, so it needs no more than min(TopK, ranks) for
/// each token (TopK with ExactCombine). What a network reads dispatched rows from (peers of the same node are written directly): staging for one epoch.
/// </remarks>
public static class ExpertBuffers
{
    /// <summary>Slots and lines begin at multiples of this: a cache line of a GPU.</summary>
    public const int LineAlignment = 128;

    /// <summary>Epochs that may be in flight at once.</summary>
    public const int Parities = 2;

    /// <summary>Bytes of the line ahead of the rows of one source.</summary>
    public static long LineBytes<TRouting>(int ranks)
        where TRouting : unmanaged, IExpertRouting<TRouting> =>
        Align(ExpertRankHeader.SizeInBytes + (sizeof(int) * (long)ExpertPlacement.ExpertsPerRank<TRouting>(ranks)));

    /// <summary>Bytes of one of the two slots of a source of the same node.</summary>
    public static long SlotBytes<TRouting>(int ranks, int tokens)
        where TRouting : unmanaged, IExpertRouting<TRouting> =>
        Align(LineBytes<TRouting>(ranks) + ((long)tokens * TRouting.RowBytes));

    /// <summary>Bytes of the slot of a source of another node, which holds its rows, then the results for it.</summary>
    public static long RemoteSlotBytes<TRouting>(int ranks, int tokens)
        where TRouting : unmanaged, IExpertRouting<TRouting> =>
        Align(LineBytes<TRouting>(ranks) + long.Max((long)tokens * TRouting.RowBytes, ResultRows<TRouting>(ranks, tokens) * TRouting.CombineRowBytes));

    /// <summary>Bytes of the dispatch region: for a rank of a whole node or of the last one, whichever needs more.</summary>
    public static long DispatchBytes<TRouting>(int ranks, int ranksPerNode, int tokens)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        int node = int.Min(ranks, ranksPerNode);
        return long.Max(Of(node), Of(ranks - RemoteRanks(ranks, ranksPerNode)));

        long Of(int local) => (Parities * local * SlotBytes<TRouting>(ranks, tokens)) + ((ranks - local) * RemoteSlotBytes<TRouting>(ranks, tokens));
    }

    /// <summary>Rows that come back in one round, at most.</summary>
    public static int CombineRows<TRouting>(int ranks, int tokens)
        where TRouting : unmanaged, IExpertRouting<TRouting> =>
        tokens * (TRouting.ExactCombine ? TRouting.TopK : int.Min(TRouting.TopK, ranks));

    /// <summary>Rows that one rank returns to another in one round, at most.</summary>
    public static long ResultRows<TRouting>(int ranks, int tokens)
        where TRouting : unmanaged, IExpertRouting<TRouting> =>
        (long)tokens * (TRouting.ExactCombine ? int.Min(TRouting.TopK, ExpertPlacement.ExpertsPerRank<TRouting>(ranks)) : 1);

    /// <summary>Bytes of the combine region, both parities.</summary>
    public static long CombineBytes<TRouting>(int ranks, int tokens)
        where TRouting : unmanaged, IExpertRouting<TRouting> =>
        Parities * Align((long)CombineRows<TRouting>(ranks, tokens) * TRouting.CombineRowBytes);

    /// <summary>Bytes of the counters of all peers.</summary>
    public static long CounterBytes(int ranks) => (long)ranks * ExpertPeerCounters.SizeInBytes;

    /// <summary>Bytes that peers write into: dispatch region, combine region, counters.</summary>
    public static long ReceiveBytes<TRouting>(int ranks, int ranksPerNode, int tokens)
        where TRouting : unmanaged, IExpertRouting<TRouting> =>
        DispatchBytes<TRouting>(ranks, ranksPerNode, tokens) + CombineBytes<TRouting>(ranks, tokens) + CounterBytes(ranks);

    /// <summary>Bytes that one rank registers: what peers write into, and what a network reads from.</summary>
    public static long RegisteredBytes<TRouting>(int ranks, int ranksPerNode, int tokens)
        where TRouting : unmanaged, IExpertRouting<TRouting> =>
        ReceiveBytes<TRouting>(ranks, ranksPerNode, tokens) + DispatchStagingBytes<TRouting>(ranks, ranksPerNode, tokens);

    /// <summary>Ranks on other nodes, at most over all ranks: those of the smallest node see most.</summary>
    public static int RemoteRanks(int ranks, int ranksPerNode)
    {
        int fullNodes = (ranks - 1) / ranksPerNode;
        return fullNodes * ranksPerNode;
    }

    /// <summary>Bytes of one epoch's lines and rows for ranks on other nodes; 0 when there is one node.</summary>
    public static long DispatchStagingBytes<TRouting>(int ranks, int ranksPerNode, int tokens)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        int remote = RemoteRanks(ranks, ranksPerNode);
        long rows = (long)tokens * int.Min(TRouting.TopK, remote);

        // Each rank's part begins at a line, so up to a line is lost behind its rows.
        return (remote * (LineBytes<TRouting>(ranks) + LineAlignment)) + (rows * TRouting.RowBytes);
    }

    /// <summary>Rows of an output that is packed by expert, each filled up to a multiple of <paramref name="padding"/>, at most.</summary>
    public static long ContiguousRows<TRouting>(int ranks, int tokens, int padding)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        int experts = ExpertPlacement.ExpertsPerRank<TRouting>(ranks);
        long selections = (long)ranks * tokens * int.Min(TRouting.TopK, experts);
        // Each expert that has rows is filled up by padding − 1 of them at most.
        return selections + (long.Min(experts, selections) * (padding - 1));
    }

    /// <summary>Rows of an output with a slab of fixed capacity for each expert and source.</summary>
    public static long SlabRows<TRouting>(int ranks, int tokens)
        where TRouting : unmanaged, IExpertRouting<TRouting> =>
        (long)ExpertPlacement.ExpertsPerRank<TRouting>(ranks) * ranks * tokens;

    /// <summary>Bytes of the write that carries a line and <paramref name="rows"/> rows.</summary>
    public static long DispatchWriteBytes<TRouting>(int ranks, int rows)
        where TRouting : unmanaged, IExpertRouting<TRouting> =>
        LineBytes<TRouting>(ranks) + ((long)rows * TRouting.RowBytes);

    /// <summary>Place of a source's slot in the dispatch region of <paramref name="rank"/>.</summary>
    public static long SlotOffset<TRouting>(in ExpertGroup group, uint epoch, int rank, int source)
        where TRouting : unmanaged, IExpertRouting<TRouting>
    {
        int first = group.FirstOfNode(rank), local = group.RanksOfNode(rank);
        long remote = RemoteSlotBytes<TRouting>(group.Ranks, group.Tokens);
        if (group.FirstOfNode(source) != first)
            return (source < first ? source : source - local) * remote;
        return ((group.Ranks - local) * remote)
            + ((((epoch % Parities) * local) + source - first) * SlotBytes<TRouting>(group.Ranks, group.Tokens));
    }

    /// <summary>Place of one of its rows.</summary>
    public static long RowOffset<TRouting>(in ExpertGroup group, uint epoch, int rank, int source, int slot)
        where TRouting : unmanaged, IExpertRouting<TRouting> =>
        SlotOffset<TRouting>(group, epoch, rank, source) + LineBytes<TRouting>(group.Ranks) + ((long)slot * TRouting.RowBytes);

    /// <summary>Place of the results for a source of another node: over its rows, behind their line.</summary>
    public static long ResultsOffset<TRouting>(in ExpertGroup group, int rank, int source)
        where TRouting : unmanaged, IExpertRouting<TRouting> => RowOffset<TRouting>(group, 0, rank, source, 0);

    /// <summary>Place of a row in the combine region; <see cref="ExpertRankHeader.CombineRow"/> names the first of each rank.</summary>
    public static long CombineRowOffset<TRouting>(in ExpertGroup group, uint epoch, int row)
        where TRouting : unmanaged, IExpertRouting<TRouting> =>
        ((epoch % Parities) * Align((long)CombineRows<TRouting>(group.Ranks, group.Tokens) * TRouting.CombineRowBytes))
        + ((long)row * TRouting.CombineRowBytes);

    /// <summary>Place of the counters that tell about a peer.</summary>
    public static long CounterOffset(int peer) => (long)peer * ExpertPeerCounters.SizeInBytes;

    private static long Align(long bytes) => (bytes + LineAlignment - 1) & -LineAlignment;
}
