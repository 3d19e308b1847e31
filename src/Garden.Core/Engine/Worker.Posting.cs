using System.Runtime.CompilerServices;
using Garden.Fabric;

namespace Garden;

/// <summary>From descriptors to staged writes: lanes, splitting, keys and bounds.</summary>
internal sealed unsafe partial class Worker
{
    /// <summary>A write of at least this many bytes picks its lane by itself; shorter ones share the lane of their batch.</summary>
    private const long OwnLaneBytes = TransferUnits.BytesPerUnit;

    /// <summary>
    /// Deals descriptors to lanes and stages their writes. Returns how many were staged whole; when that is fewer than given, credits
    /// have run out (a cut descriptor's rest is in the record) or the transfer has failed (it is Stopping).
    /// </summary>
    private int StageBatch(int index, TransferRecord* record, WriteDescriptor* descriptors, int count)
    {
        int done = 0;
        int batchLane = -1;
        while (done < count)
        {
            WriteDescriptor* descriptor = descriptors + done;
            RegionEntry* destination = _engine.Regions.Find(descriptor->Destination);
            RegionEntry* source = descriptor->Length == 0 ? null : _engine.Regions.Find(descriptor->Source);
            if (!Check(index, record, descriptor, source, destination))
                return done;
            int peerIndex = destination->Peer;
            PeerEntry* peer = _peerEntries + peerIndex;
            NoteImmediate(record, descriptor, peerIndex);

            int live = peer->LaneCount == 1 ? 1 : LiveLanes(peer);
            if (record->Routing == LaneRoutingKind.Sharded && record->Lane != 0)
                live = Math.Min(live, record->Lane);
            bool cut = descriptor->Length > TransferUnits.BytesPerUnit
                && !descriptor->Immediate.IsNumber
                && (record->Routing == LaneRoutingKind.ByBytes || (record->Routing == LaneRoutingKind.Sharded && count < live));
            if (cut && live > 1)
            {
                if (!StageShares(index, record, descriptor, source, destination, peer, live))
                    return done;
                done++;
                continue;
            }

            if (batchLane < 0 || descriptor->Length >= OwnLaneBytes || !HasCredit(peer, batchLane))
                batchLane = ChooseLane(record, peer, peerIndex);
            if (batchLane < 0)
            {
                FailWithoutLane(index, record, peer, peerIndex);
                return done;
            }

            Lane* lane = LaneOf(peer, batchLane);
            Nic nic = _nics[lane->Nic];
            if (descriptor->Length > nic.Capabilities.MaxWriteLength || (descriptor->Units > TransferUnits.MaxPerWrite && !descriptor->Immediate.IsNumber))
            {
                if (!StagePieces(index, record, descriptor, source, destination, peer))
                    return done;
                done++;
                continue;
            }

            int staged = StageRun(index, record, descriptors + done, count - done, source, destination, peerIndex, batchLane, lane, nic);
            if (staged == 0)
                return done;
            done += staged;
            if (record->Peer < 0)
                batchLane = -1;
        }

        return done;
    }

    /// <summary>The hot loop: as many of the descriptors as have the first one's regions, need no cutting and find credits on one lane.</summary>
    private int StageRun(
        int index,
        TransferRecord* record,
        WriteDescriptor* descriptors,
        int count,
        RegionEntry* source,
        RegionEntry* destination,
        int peerIndex,
        int laneIndex,
        Lane* lane,
        Nic nic)
    {
        count = Math.Min(count, Math.Min(nic.Room, nic.LaneWindow - lane->Outstanding));
        if (count <= 0)
            return 0;
        FabricWrite* write = nic.Next(out Nic.StagedRegions* regions);
        ulong context = TransferRecords.Context(index, record->Generation, peerIndex, laneIndex);
        RegionHandle sourceHandle = descriptors->Source, destinationHandle = descriptors->Destination;
        ulong sourceAddress = source is null ? 0 : source->Bases[lane->Nic], localKey = source is null ? 0 : source->Keys[lane->Nic];
        ulong remoteAddress = destination->Bases[lane->RemoteNic], remoteKey = destination->Keys[lane->RemoteNic];
        long sourceLength = source is null ? 0 : source->Length, destinationLength = destination->Length;
        // A run has one immediate: only the units differ, and only a counter's go along.
        Immediate immediate = descriptors->Immediate;
        uint bits = immediate.OnWire(0), carried = immediate.IsCounter ? uint.MaxValue : 0;
        uint mostUnits = immediate.IsNumber ? uint.MaxValue : TransferUnits.MaxPerWrite;
        // Where there is one lane only, a long write has nothing to choose.
        long longest = _peerEntries[peerIndex].LaneCount == 1 ? _maxWriteLength : OwnLaneBytes - 1;
        // The rows may be rewritten by other threads: what was read is good only if they still are these regions' rows.
        Volatile.ReadBarrier();
        if (Volatile.Read(ref destination->Generation) != destinationHandle.Generation
            || (source is not null && Volatile.Read(ref source->Generation) != sourceHandle.Generation))
            return 0;
        int route = lane->Route;
        long bytes = 0;
        int staged = 0;
        for (; staged < count; staged++)
        {
            WriteDescriptor* descriptor = descriptors + staged;
            long length = descriptor->Length;
            // What is long enough for a lane of its own, or too long for one write, begins a run.
            if (staged != 0
                && (descriptor->Destination != destinationHandle
                    || (descriptor->Source != sourceHandle && length != 0)
                    || length > longest
                    || descriptor->Opcode != WriteOpcode.Write
                    || descriptor->Units > mostUnits
                    || descriptor->Immediate != immediate))
            {
                break;
            }

            // The second line behind validation at submission: nothing outside the two regions is ever posted. Without a source its length is 0.
            if ((ulong)length > (ulong)destinationLength
                || (ulong)descriptor->DestinationOffset > (ulong)(destinationLength - length)
                || (length != 0 && ((ulong)length > (ulong)sourceLength || (ulong)descriptor->SourceOffset > (ulong)(sourceLength - length))))
            {
                break;
            }

            write->LocalAddress = sourceAddress + (ulong)descriptor->SourceOffset;
            write->LocalKey = localKey;
            write->RemoteAddress = remoteAddress + (ulong)descriptor->DestinationOffset;
            write->RemoteKey = remoteKey;
            write->Length = length;
            write->Context = context;
            write->Route = route;
            write->Immediate = bits | (descriptor->Units & carried);
            write++;
            regions->Source = descriptor->Source;
            regions->Destination = destinationHandle;
            regions++;
            bytes += length;
        }

        nic.Commit(staged);
        nic.Counters.Bytes += bytes;
        lane->Outstanding += staged;
        record->Outstanding += staged;
        record->Bytes += bytes;
        record->Writes += staged;
        record->LanesUsed |= (byte)(1 << laneIndex);
        return staged;
    }

    /// <summary>Cuts one descriptor over the live lanes. False: what is left is the record's partial.</summary>
    private bool StageShares(
        int index, TransferRecord* record, WriteDescriptor* descriptor, RegionEntry* source, RegionEntry* destination, PeerEntry* peer, int shares)
    {
        WriteDescriptor rest = *descriptor;
        bool more = true;
        while (more)
        {
            long share = NicSharding.FirstShare(rest.Length, Math.Max(1, shares--));
            more = NicSharding.TakePiece(ref rest, share, out WriteDescriptor piece);
            if (!StagePieces(index, record, &piece, source, destination, peer))
            {
                // The piece's own rest was kept; what was not begun goes behind it as one descriptor again.
                if (more)
                {
                    record->Partial.Length += rest.Length;
                    record->Partial.Units += rest.Units;
                }

                return false;
            }
        }

        return true;
    }

    /// <summary>Cuts one descriptor at the limits of a write. False: what is left is the record's partial.</summary>
    private bool StagePieces(
        int index, TransferRecord* record, WriteDescriptor* descriptor, RegionEntry* source, RegionEntry* destination, PeerEntry* peer)
    {
        WriteDescriptor rest = *descriptor;
        bool more = true;
        while (more)
        {
            int peerIndex = destination->Peer;
            int laneIndex = ChooseLane(record, peer, peerIndex);
            if (laneIndex < 0)
            {
                FailWithoutLane(index, record, peer, peerIndex);
                return Keep(record, rest);
            }

            Lane* lane = LaneOf(peer, laneIndex);
            Nic nic = _nics[lane->Nic];
            WriteDescriptor before = rest;
            more = NicSharding.TakePiece(ref rest, nic.Capabilities.MaxWriteLength, out WriteDescriptor piece);
            if (StageRun(index, record, &piece, 1, source, destination, peerIndex, laneIndex, lane, nic) == 0)
                return Keep(record, before);
        }

        return true;
    }

    private static bool Keep(TransferRecord* record, in WriteDescriptor rest)
    {
        record->Partial = rest;
        record->Flags |= TransferFlags.HasPartial;
        return false;
    }

    private bool Check(int index, TransferRecord* record, WriteDescriptor* descriptor, RegionEntry* source, RegionEntry* destination)
    {
        string? error = null;
        if (destination is null || destination->State != RegionState.Remote)
            error = $"The destination {descriptor->Destination} was removed, or its peer failed, after the request was submitted.";
        else if (descriptor->Length != 0 && (source is null || !MayRead(record, source)))
            error = $"The source {descriptor->Source} was unregistered after the request was submitted.";
        else if (descriptor->Opcode != WriteOpcode.Write)
            error = $"Opcode {descriptor->Opcode} is reserved; plans expand to writes only.";
        else if (descriptor->Length < 0
            || (ulong)descriptor->DestinationOffset > (ulong)(destination->Length - descriptor->Length)
            || (descriptor->Length != 0 && (ulong)descriptor->SourceOffset > (ulong)(source->Length - descriptor->Length))
            || destination->Length < descriptor->Length)
            error = $"The plan expanded to a write outside its regions ({*descriptor}); its Validate and Expand disagree.";
        else if (descriptor->Immediate.IsCounter && descriptor->Units > TransferUnits.MaxPerWrite && descriptor->Length <= TransferUnits.MaxBytesPerWrite)
            error = $"The plan expanded to a write of {descriptor->Units} units in {descriptor->Length} bytes; a coalesced write carries at most {TransferUnits.MaxPerWrite}.";
        else if (descriptor->Immediate.IsNumber && descriptor->Length > _maxWriteLength)
            error = $"A write with a user's number is never cut: {descriptor->Length} bytes are more than the {_maxWriteLength} this device's NICs write at once. Use an engine-allocated counter, or cut the range.";
        else if (destination->Device != Device)
            error = $"The destination {descriptor->Destination} belongs to device {destination->Device}, this is device {Device}.";
        else if (_peers[destination->Peer]!.Failure is { } failure)
        {
            Fail(index, record, failure);
            return false;
        }

        if (error is null)
            return true;
        Fail(index, record, new PlanException(error));
        return false;
    }

    /// <summary>From a closing region only what had begun before goes on.</summary>
    private static bool MayRead(TransferRecord* record, RegionEntry* source) =>
        source->State == RegionState.Local || (source->State == RegionState.Closing && (record->Flags & TransferFlags.Draining) != 0);

    private static void NoteImmediate(TransferRecord* record, WriteDescriptor* descriptor, int peer)
    {
        if (descriptor->Immediate.IsNone)
            return;
        if (record->AbortImmediate.IsNone)
        {
            record->AbortImmediate = descriptor->Immediate;
            record->AbortPeer = peer;
        }
        else if (record->AbortImmediate != descriptor->Immediate || record->AbortPeer != peer)
        {
            // Kept in step with the current one, so that the hot loop compares with one value only.
            record->Flags |= TransferFlags.SeveralImmediates;
            record->AbortImmediate = descriptor->Immediate;
            record->AbortPeer = peer;
        }
    }

    /// <summary>The lane the next write takes; −1 when no lane that it may take is free now.</summary>
    private int ChooseLane(TransferRecord* record, PeerEntry* peer, int peerIndex)
    {
        if (peer->LaneCount == 1 && record->Routing != LaneRoutingKind.Pinned)
            return HasCredit(peer, 0) ? 0 : -1;
        switch (record->Routing)
        {
            case LaneRoutingKind.Pinned:
                return record->Lane < peer->LaneCount && HasCredit(peer, record->Lane) ? record->Lane : -1;
            case LaneRoutingKind.ByPeer:
                // The n-th live lane, so that a failed NIC's peers spread over the others.
                int live = LiveLanes(peer);
                int wanted = live == 0 ? 0 : NicSharding.LaneOfPeer(peerIndex, live);
                for (int lane = 0; lane < peer->LaneCount; lane++)
                {
                    if (LaneOf(peer, lane)->Alive && wanted-- == 0)
                        return HasCredit(peer, lane) ? lane : -1;
                }

                return -1;
            default:
                Span<int> credits = stackalloc int[NetAddress.MaxNics];
                for (int lane = 0; lane < peer->LaneCount; lane++)
                    credits[lane] = MayUse(record, peer, lane) ? Credits(peer, lane) : 0;
                return NicSharding.LaneWithMostCredits(credits[..peer->LaneCount]);
        }
    }

    /// <summary>A transfer sharded over some lanes uses the first of them that are alive, from its own first lane on.</summary>
    private static bool MayUse(TransferRecord* record, PeerEntry* peer, int lane)
    {
        if (record->Routing != LaneRoutingKind.Sharded || record->Lane == 0 || record->Lane >= peer->LaneCount)
            return true;
        int left = record->Lane;
        for (int i = 0; i < peer->LaneCount && left > 0; i++)
        {
            int candidate = (record->FirstLane + i) % peer->LaneCount;
            if (!LaneOf(peer, candidate)->Alive)
                continue;
            if (candidate == lane)
                return true;
            left--;
        }

        return false;
    }

    private void FailWithoutLane(int index, TransferRecord* record, PeerEntry* peer, int peerIndex)
    {
        bool pinned = record->Routing == LaneRoutingKind.Pinned;
        if (pinned && record->Lane >= peer->LaneCount)
            Fail(index, record, new PlanException($"Lane {record->Lane} does not exist; the peer {_peers[peerIndex]!.Address} has lanes 0 to {peer->LaneCount - 1}."));
        else if (pinned ? !LaneOf(peer, record->Lane)->Alive : LiveLanes(peer) == 0)
            Fail(index, record, _peers[peerIndex]!.Failure as GardenException ?? new FabricException($"{(pinned ? $"Lane {record->Lane}" : "Every lane")} to {_peers[peerIndex]!.Address} is down; submit again on another lane, or reconnect.", FabricStatus.NicDown));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool HasCredit(PeerEntry* peer, int lane) => Credits(peer, lane) > 0;

    private int Credits(PeerEntry* peer, int laneIndex)
    {
        Lane* lane = LaneOf(peer, laneIndex);
        if (!lane->Alive)
            return 0;
        Nic nic = _nics[lane->Nic];
        return Math.Min(nic.LaneWindow - lane->Outstanding, nic.Room == 0 ? 0 : nic.Capabilities.QueueDepth - nic.Outstanding);
    }

    private static int LiveLanes(PeerEntry* peer)
    {
        int live = 0;
        for (int i = 0; i < peer->LaneCount; i++)
            live += LaneOf(peer, i)->Alive ? 1 : 0;
        return live;
    }

    // Safe: callers pass lanes below LaneCount, which is at most the array's length.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lane* LaneOf(PeerEntry* peer, int lane) => (Lane*)&peer->Lanes + lane;
}
