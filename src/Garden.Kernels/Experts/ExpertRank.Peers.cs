using System.Runtime.InteropServices;
using Garden.Experts;

namespace Garden.Kernels.Experts;

/// <content>Which ranks take part. Everything here is called between rounds, when no kernel of this rank is on a stream.</content>
public sealed partial class ExpertRank<TRouting>
{
    /// <summary>Connects a rank whose memory this rank's device reaches: rows are written there directly, flags are the only handshake.</summary>
    /// <exception cref="PlanException">The rank is outside the group or on another node, or an address is 0.</exception>
    public void Connect(int peer, ExpertRankAddresses addresses)
    {
        RequireRank(peer);
        if (addresses.Window == 0 || addresses.Combine == 0)
            throw new PlanException($"Rank {peer} has no address; pass what its Addresses gave, or what mapping its Window and CombineRegion gave.");
        if (Group.FirstOfNode(peer) != Group.FirstOfNode(Rank))
            throw new PlanException($"Ranks {Rank} and {peer} are on different nodes of {Group.RanksPerNode}; connect them with an ExpertExchange, or make the group with more ranks a node.");
        _peers[peer] = new ExpertPeerEntry
        {
            Dispatch = (ulong)addresses.Window + (ulong)ExpertBuffers.SlotOffset<TRouting>(Group, 0, peer, Rank),
            Combine = (ulong)addresses.Combine,
            Incoming = (ulong)Counters(_memory.Window.Address, peer),
            Outgoing = (ulong)Counters(addresses.Window, Rank),
        };
        _connected[peer] = true;
        WritePeers();
    }

    /// <summary>
    /// Goes on without a rank: nothing is sent to it, awaited from it or read from its slot. Choices of its experts are dropped and
    /// counted (<see cref="ReadReport"/>). Ranks may mask at different rounds; who has not yet, waits for it once more.
    /// </summary>
    /// <param name="peer">The rank.</param>
    /// <param name="isGone">
    /// True when nothing of it can still be on its way: its process has ended, or its fabric has fenced it. Otherwise its late results
    /// may land in the combine area of the round it missed, and rounds use the other area from then on.
    /// </param>
    /// <exception cref="PlanException">The rank is outside the group, or is this one.</exception>
    /// <exception cref="InvalidOperationException">Late results may land in both areas; make the ranks anew.</exception>
    public void Mask(int peer, bool isGone)
    {
        RequireRank(peer);
        if (peer == Rank)
            throw new PlanException($"Rank {peer} cannot mask itself.");
        if (isGone)
            _late[peer] = false;
        else if (_peers[peer].IsMasked == 0)
            _late[peer] = LeaveArea(peer);
        _peers[peer].IsMasked = _late[peer] ? ExpertPeerEntry.MaskedLate : ExpertPeerEntry.MaskedGone;
        _connected[peer] = true;
        WritePeers();
        if (isGone)
            ReturnArea();
    }

    /// <summary>Takes a rank (back) in from the round that begins next: all ranks do so, and the new one joins, before any begins it.</summary>
    /// <param name="peer">The rank.</param>
    /// <param name="addresses">Where its memory is now.</param>
    /// <param name="isDrained">True when nothing of the rank's earlier life can still land: both combine areas are used again, unless another rank is late.</param>
    public void Admit(int peer, ExpertRankAddresses addresses, bool isDrained)
    {
        RequireRank(peer);
        SetCounters(peer, Epoch - 1);
        Connect(peer, addresses);
        _late[peer] &= !isDrained;
        ReturnArea();
    }

    /// <summary>Begins this rank at a round of the others instead of at the first; before it is connected to ranks of other nodes.</summary>
    /// <param name="epoch">The round the others begin next (<see cref="Epoch"/>).</param>
    public void Join(uint epoch)
    {
        ArgumentOutOfRangeException.ThrowIfZero(epoch);
        for (int peer = 0; peer < Group.Ranks; peer++)
            SetCounters(peer, epoch - 1);
        // Of a rank that has run before, those of its last rounds may say that others did not come.
        _memory.Verdicts.Write(new byte[_memory.Verdicts.Length]);
        WriteEpoch(epoch);
    }

    /// <summary>
    /// What rounds dropped since the last report; however many they were, each failure is thrown once. Call it when the rounds' kernels have ended.
    /// </summary>
    /// <exception cref="ExpertTimeoutException">A rank did not come in a round; the message names it, its experts and the last such round.</exception>
    /// <exception cref="PlanException">A rank sent a line that cannot be: it has another routing or group.</exception>
    public ExpertRoundReport ReadReport()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ExpertRoundState state = ReadState();
        ExpertRoundReport report = Report with { Epoch = state.ReportedEpoch };
        uint bad = report.BadLineEpoch;
        if (bad != _reportedBadLine)
        {
            _reportedBadLine = bad;
            throw new PlanException($"Rank {report.BadLineRank} sent a line of another round, with more than {Group.Tokens} rows, or with counts that its rows cannot have in round {bad}; check that all ranks have routing hash {TRouting.RoutingHash:x16} and {Group}.");
        }

        List<ExpertMissing>? missing = null;
        for (int phase = 0; phase < ExpertKernelArgs.Phases; phase++)
        {
            for (int rank = 0; rank < Group.Ranks; rank++)
            {
                uint epoch = MissingEpoch(phase, rank);
                if (epoch == _reportedMissing[(phase * Group.Ranks) + rank])
                    continue;
                _reportedMissing[(phase * Group.Ranks) + rank] = epoch;
                (missing ??= []).Add(Missing(rank, (ExpertPhase)phase, epoch));
            }
        }

        if (missing is not null)
            throw new ExpertTimeoutException(missing);
        report.Dropped = state.Dropped - _reportedDropped;
        report.Invalid = state.Invalid - _reportedInvalid;
        (_reportedDropped, _reportedInvalid) = (state.Dropped, state.Invalid);
        return report;
    }

    internal ExpertMissing Missing(int rank, ExpertPhase phase, uint epoch) =>
        new(rank, ExpertPlacement.FirstExpert<TRouting>(Group.Ranks, rank), ExpertPlacement.LocalExperts<TRouting>(Group.Ranks, rank), phase, epoch);

    /// <summary>Connects a rank of another node: rows are staged, flags come through mapped host memory.</summary>
    internal void ConnectStaged(int peer, bool isNewLife)
    {
        RequireRank(peer);
        if (Group.FirstOfNode(peer) == Group.FirstOfNode(Rank))
            throw new PlanException($"Ranks {Rank} and {peer} are on one node of {Group.RanksPerNode}, which has no staging; connect them directly, or make the group with fewer ranks a node.");
        _peers[peer] = new ExpertPeerEntry
        {
            Dispatch = (ulong)_memory.DispatchStaging!.Address,
            Combine = (ulong)_memory.Window.Address + (ulong)ExpertBuffers.ResultsOffset<TRouting>(Group, Rank, peer),
            Incoming = (ulong)_memory.Mapped.DeviceAddress + (ulong)ExpertRankMemory.RemoteCountersOffset(Group.Ranks) + ((ulong)peer * ExpertPeerCounters.SizeInBytes),
            IsStaged = 1,
        };
        _connected[peer] = true;
        WritePeers();
        if (!isNewLife)
            return;
        // Its earlier life has ended, or it could not be connected anew.
        _late[peer] = false;
        ReturnArea();
    }

    internal bool IsMasked(int peer) => _peers[peer].IsMasked != 0;

    /// <summary>Gives the sending kernels the values they raise when they have ended.</summary>
    internal void SetProgress(nint dispatchSent, nint combineSent) => (_arguments.DispatchSent, _arguments.CombineSent) = ((ulong)dispatchSent, (ulong)combineSent);

    // Safe: the report is at the begin of the mapped memory, the words behind it.
    private unsafe ExpertRoundReport Report => *(ExpertRoundReport*)_memory.Mapped.Pointer;

    private unsafe uint MissingEpoch(int phase, int rank) => ((uint*)(_memory.Mapped.Pointer + ExpertRankMemory.MissingOffset))[(phase * Group.Ranks) + rank];

    private nint Counters(nint window, int peer) => window + (nint)_memory.CountersOffset + (nint)ExpertBuffers.CounterOffset(peer);

    /// <summary>Leaves the area that the rank was promised a place for results in and did not return them to; true when there is one.</summary>
    private bool LeaveArea(int peer)
    {
        ExpertRoundState state = ReadState();
        uint first = FirstOwed(peer), owed = _peers[peer].IsStaged != 0 ? Math.Min(1, state.Epoch - first) : state.Epoch - first;
        if (owed == 0)
            return false;
        // The kernel that missed the rank has left its area already.
        bool left = state.CombineArea != 0;
        if (owed > 1 || (left && state.AreaLeftAfter != first))
            throw new InvalidOperationException($"Rank {peer} owes the results of {owed} rounds from {first} on{(left ? $", and the area of round {state.AreaLeftAfter} is left already" : "")}: late stores may land in both areas of the combine region. Make the ranks anew, or mask it as gone once its process has ended.");
        WriteState(nameof(ExpertRoundState.AreaLeftAfter), first);
        WriteState(nameof(ExpertRoundState.CombineArea), 2 - (first & 1));
        return true;
    }

    /// <summary>Uses both areas again when no late result can land in either.</summary>
    private void ReturnArea()
    {
        ExpertRoundState state = ReadState();
        for (int peer = 0; peer < Group.Ranks; peer++)
        {
            if (_late[peer] || (_peers[peer].IsMasked == 0 && FirstOwed(peer) != state.Epoch))
                return;
        }

        if (state.CombineArea != 0)
            WriteState(nameof(ExpertRoundState.CombineArea), 0);
    }

    /// <summary>The first round whose results the rank has not returned; the round that begins next when it owes none. One of another node owes one at most: it is sent no more rows.</summary>
    private unsafe uint FirstOwed(int peer)
    {
        var counters = default(ExpertPeerCounters);
        if (_peers[peer].IsStaged != 0)
        {
            counters = *(ExpertPeerCounters*)(_memory.Mapped.Pointer + ExpertRankMemory.RemoteCountersOffset(Group.Ranks) + ((long)peer * ExpertPeerCounters.SizeInBytes));
            return counters.DispatchConsumed + 1;
        }

        _memory.Window.Read(new Span<byte>(&counters, sizeof(ExpertPeerCounters)), _memory.CountersOffset + ExpertBuffers.CounterOffset(peer));
        return counters.CombineArrived + 1;
    }

    private unsafe void SetCounters(int peer, uint epoch)
    {
        var counters = new ExpertPeerCounters { DispatchArrived = epoch, DispatchConsumed = epoch, CombineArrived = epoch, CombineConsumed = epoch };
        _memory.Window.Write(new ReadOnlySpan<byte>(&counters, sizeof(ExpertPeerCounters)), _memory.CountersOffset + ExpertBuffers.CounterOffset(peer));
    }

    private ExpertRoundState ReadState()
    {
        Span<byte> bytes = stackalloc byte[ExpertRoundState.SizeInBytes];
        _memory.State.Read(bytes);
        return MemoryMarshal.Read<ExpertRoundState>(bytes);
    }

    private void WriteEpoch(uint epoch) => WriteState(nameof(ExpertRoundState.Epoch), epoch);

    private void WriteState(string field, uint value) => _memory.State.Write(BitConverter.GetBytes(value), Marshal.OffsetOf<ExpertRoundState>(field));

    private void WritePeers() => _memory.Peers.Write(MemoryMarshal.AsBytes(_peers.AsSpan()));

    private void RequireRank(int peer)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if ((uint)peer >= (uint)Group.Ranks)
            throw new PlanException($"Rank {peer} is outside [0, {Group.Ranks}).");
    }
}
