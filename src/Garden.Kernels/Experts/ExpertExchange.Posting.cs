using Garden.Experts;

namespace Garden.Kernels.Experts;

/// <content>The worker's side: called by the engine's worker when a kernel has raised its value. Nothing here waits or allocates.</content>
public sealed partial class ExpertExchange<TRouting>
{
    /// <summary>Rows are staged: a line and its rows to each rank. False when the ring is full: asked again on a later turn.</summary>
    private bool PostRows(uint epoch)
    {
        ExpertGroup group = _rank.Group;
        int count = 0;
        for (int rank = 0; rank < _links.Length; rank++)
        {
            ExpertPost post = Post(rank);
            if (!MayPost(rank) || post.DispatchLine < 0)
                continue;
            _targets[count++] = new ScatterTarget(
                _links[rank]!.Window.Handle,
                Number(ExpertWait.DispatchArrived),
                (long)post.DispatchLine * ExpertBuffers.LineAlignment,
                ExpertBuffers.SlotOffset<TRouting>(group, epoch, _rank.Rank),
                ExpertBuffers.DispatchWriteBytes<TRouting>(group.Ranks, post.DispatchRows));
        }

        return Submit(_rowStaging, count);
    }

    /// <summary>Rows are taken out of their slots: an immediate to each rank.</summary>
    private bool PostRowsTaken(uint epoch) => PostTaken(ExpertWait.DispatchConsumed);

    /// <summary>Results are staged: those of each rank to the rows it named.</summary>
    private bool PostResults(uint epoch)
    {
        ExpertGroup group = _rank.Group;
        long area = ExpertBuffers.CombineBytes<TRouting>(group.Ranks, group.Tokens) / ExpertBuffers.Parities;
        int count = 0;
        for (int rank = 0; rank < _links.Length; rank++)
        {
            ExpertPost post = Post(rank);
            if (!MayPost(rank) || post.CombineRows < 0)
                continue;
            long row = post.CombineRow & ~ExpertRankHeader.CombineAreaBit;
            _targets[count++] = new ScatterTarget(
                _links[rank]!.Combine.Handle,
                Number(ExpertWait.CombineArrived),
                _rank.StagedCombineOffset(rank),
                post.CombineRows == 0 ? 0 : ((post.CombineRow & ExpertRankHeader.CombineAreaBit) != 0 ? area : 0) + (row * TRouting.CombineRowBytes),
                (long)post.CombineRows * TRouting.CombineRowBytes);
        }

        return Submit(_resultStaging, count);
    }

    private bool PostResultsTaken(uint epoch) => PostTaken(ExpertWait.CombineConsumed);

    private bool PostTaken(uint what)
    {
        int count = 0;
        for (int rank = 0; rank < _links.Length; rank++)
        {
            if (MayPost(rank))
                _targets[count++] = new ScatterTarget(_links[rank]!.Window.Handle, Number(what), 0, 0, 0);
        }

        return Submit(_rowStaging, count);
    }

    private bool MayPost(int rank) => _links[rank] is { Peer.State: PeerState.Ready } && !_rank.IsMasked(rank);

    /// <summary>What counts at the receiver: of this rank, one thing each.</summary>
    private Immediate Number(uint what) => Immediate.FromNumber(_options.FirstNumber + (what / sizeof(uint) * (uint)_rank.Group.Ranks) + (uint)_rank.Rank);

    private bool Submit(MemoryRegion source, int count)
    {
        if (count == 0)
            return true;
        var options = new SubmitOptions { Deadline = _options.WriteDeadline };
        try
        {
            if (!_engine.TrySubmitScatter(source, _targets.AsSpan(0, count), in options, out Transfer all))
                return false;
            // A write that fails is missed by its receiver, who names this rank; the engine logs and counts it here.
            all.Forget();
            return true;
        }
        catch (PlanException) when (count > 1)
        {
            // A peer has ended since it was looked at, or wants results where it has no memory: the others get theirs.
            for (int i = 0; i < count; i++)
                SubmitAlone(source, i, in options);
            return true;
        }
    }

    private void SubmitAlone(MemoryRegion source, int index, in SubmitOptions options)
    {
        try
        {
            if (_engine.TrySubmitScatter(source, _targets.AsSpan(index, 1), in options, out Transfer one))
                one.Forget();
        }
        catch (PlanException)
        {
            // This is the one. It is missed where it was to arrive.
        }
    }

    private unsafe ExpertPost Post(int rank) =>
        // Safe: the mapped memory has a post for every rank.
        ((ExpertPost*)Posts)[rank];
}
