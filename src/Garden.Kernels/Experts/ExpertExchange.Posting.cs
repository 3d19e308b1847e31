using Garden.Experts;

namespace Garden.Kernels.Experts;

/// <content>The worker's side: called by the engine's worker when a kernel has raised its value, or an immediate has come. Nothing here waits or allocates.</content>
public sealed partial class ExpertExchange<TRouting>
{
    /// <summary>Ranks of one turn of the worker: the first write is posted when these have been gathered, not all.</summary>
    private const int RanksPerTurn = 14;

    /// <summary>Rows are staged: a line and its rows to each rank. False when there are more, or the ring is full: asked again on the next turn.</summary>
    private bool PostRows(uint epoch)
    {
        int count = 0, rank = 0;
        for (; rank < _links.Length && count < RanksPerTurn; rank++)
        {
            ExpertPost post = Post(rank);
            if (!MayPost(rank) || _links[rank] is not { } link || !link.Rounds.TellsRows(epoch, post.DispatchLine >= 0))
                continue;
            _targetRanks[count] = rank;
            _targets[count++] = new ScatterTarget(
                link.Window.Handle,
                Number(Rows),
                (long)post.DispatchLine * ExpertBuffers.LineAlignment,
                link.SlotOffset,
                _lineBytes + ((long)post.DispatchRows * TRouting.RowBytes));
        }

        return Submit(_rowStaging, count, epoch, isRows: true) && rank == _links.Length && PostDebts();
    }

    /// <summary>Results are in the slots of their sources: those of each to the rows it named.</summary>
    private bool PostResults(uint epoch)
    {
        int count = 0, rank = 0;
        for (; rank < _links.Length && count < RanksPerTurn; rank++)
        {
            ExpertPost post = Post(rank);
            if (!MayPost(rank) || _links[rank] is not { } link || !link.Rounds.Answers(epoch, post.CombineRows >= 0))
                continue;
            long row = post.CombineRow & ~ExpertRankHeader.CombineAreaBit;
            _targetRanks[count] = rank;
            _targets[count++] = new ScatterTarget(
                link.Combine.Handle,
                Number(Results),
                link.ResultsOffset,
                post.CombineRows == 0 ? 0 : ((post.CombineRow & ExpertRankHeader.CombineAreaBit) != 0 ? _areaBytes : 0) + (row * TRouting.CombineRowBytes),
                (long)post.CombineRows * TRouting.CombineRowBytes);
        }

        return Submit(_window, count, epoch, isRows: false) && rank == _links.Length && PostDebts();
    }

    /// <summary>What no kernel asks for: rounds without rows that are told late, and answers that there are no results. False when the ring is full.</summary>
    private bool PostDebts()
    {
        for (int rank = 0; rank < _links.Length; rank++)
        {
            if (_links[rank] is not { Rounds.IsInDebt: true } link || !MayPost(rank))
                continue;
            while (link.Rounds.Refusals != 0)
            {
                if (!SubmitImmediate(link, NoResults))
                    return false;
                link.Rounds.RefusalTold();
            }

            while (link.Rounds.Telling != 0)
            {
                if (!SubmitImmediate(link, NoRows))
                    return false;
                link.Rounds.NoRowsTold();
            }
        }

        return true;
    }

    private bool MayPost(int rank) => _links[rank] is { Peer.State: PeerState.Ready } && !_rank.IsMasked(rank);

    /// <summary>What counts at the receiver: of this rank, one thing each.</summary>
    private Immediate Number(uint what) => Immediate.FromNumber(_options.FirstNumber + (what * (uint)_rank.Group.Ranks) + (uint)_rank.Rank);

    private bool Submit(MemoryRegion source, int count, uint epoch, bool isRows)
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
            for (int i = 0; i < count; i++)
                Submitted(i, epoch, isRows);
            return true;
        }
        catch (PlanException)
        {
            // A peer has ended since it was looked at, or wants results where it has no memory: the others get theirs.
            bool submitted = true;
            for (int i = 0; i < count; i++)
                submitted &= SubmitAlone(source, i, epoch, isRows, in options);
            return submitted;
        }
    }

    private bool SubmitAlone(MemoryRegion source, int index, uint epoch, bool isRows, in SubmitOptions options)
    {
        try
        {
            if (!_engine.TrySubmitScatter(source, _targets.AsSpan(index, 1), in options, out Transfer one))
                return false;
            one.Forget();
        }
        catch (PlanException)
        {
            // This is the one. It is missed where it was to arrive.
        }

        Submitted(index, epoch, isRows);
        return true;
    }

    private void Submitted(int index, uint epoch, bool isRows)
    {
        ExpertPeerRounds rounds = _links[_targetRanks[index]]!.Rounds;
        if (isRows)
            rounds.RowsTold(epoch);
        else
            rounds.ResultsTold(epoch);
    }

    private bool SubmitImmediate(ExpertPeerLink link, uint what)
    {
        var options = new SubmitOptions { Deadline = _options.WriteDeadline };
        ScatterTarget target = new(link.Window.Handle, Number(what), 0, 0, 0);
        try
        {
            if (!_engine.TrySubmitScatter(_rowStaging, new ReadOnlySpan<ScatterTarget>(in target), in options, out Transfer one))
                return false;
            one.Forget();
        }
        catch (PlanException)
        {
            // The peer has ended.
        }

        return true;
    }

    private unsafe ExpertPost Post(int rank) =>
        // Safe: the mapped memory has a post for every rank.
        ((ExpertPost*)Posts)[rank];
}
