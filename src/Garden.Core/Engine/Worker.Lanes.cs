using Garden.Fabric;

namespace Garden;

/// <summary>Lanes and NICs that come and go, and what happens to the writes they had not taken.</summary>
internal sealed unsafe partial class Worker
{
    private void OpenLane(Peer peer, int index)
    {
        Lane* lane = LaneOf(_peerEntries + peer.Index, index);
        Nic nic = _nics[lane->Nic];
        lane->Alive = nic.Alive;
        lane->Route = -1;
        if (!nic.Alive)
            return;
        lane->Route = nic.Domain.OpenRoute(peer.Address.Nics[lane->RemoteNic]);
        nic.Routes[lane->Route] = (peer.Index, index);
    }

    private void CloseLane(Lane* lane, bool fence)
    {
        if (!lane->Alive)
            return;
        lane->Alive = false;
        Nic nic = _nics[lane->Nic];
        nic.Routes.Remove(lane->Route);
        if (!nic.Alive)
            return;
        // What was staged for the lane goes out first, so that the domain reports its end like everything else's. What it does not
        // take comes back: the route's number may be another peer's soon.
        nic.Flush();
        if (fence)
            nic.Domain.FencePeer(lane->Route);
        nic.Domain.CloseRoute(lane->Route);
        Restage(nic, nic.TakeBack(lane->Route));
    }

    private void FailRoute(Nic nic, int route, FabricStatus status, int code)
    {
        if (!nic.Routes.TryGetValue(route, out (int Peer, int Lane) origin) || _peers[origin.Peer] is not { } peer)
            return;
        PeerEntry* entry = _peerEntries + origin.Peer;
        CloseLane(LaneOf(entry, origin.Lane), fence: MayFence(peer));
        if (peer.State == PeerState.Connecting)
        {
            // Who is not there yet may come: the deadline of the attempt decides, not the first answer.
            OpenLane(peer, origin.Lane);
            return;
        }

        if (LiveLanes(entry) == 0)
            FailPeer(peer, $"The last lane to {peer.Address} ended as {status}{(code == 0 ? "" : $" (provider code {code})")}: {nic.Domain.Explain(status, code)}");
    }

    private void FailNic(Nic nic)
    {
        if (!nic.Alive)
            return;
        nic.Alive = false;
        _parker.Unwatch(nic.Domain.WaitDescriptor);
        GardenLog.NicFailed(_logger, Device, nic.Domain.Address);
        for (int i = 0; i < _peersUsed; i++)
        {
            PeerEntry* entry = _peerEntries + i;
            if (_peers[i] is not { State: PeerState.Ready or PeerState.Connecting } peer)
                continue;
            for (int l = 0; l < entry->LaneCount; l++)
            {
                if (LaneOf(entry, l)->Nic == nic.Index)
                    CloseLane(LaneOf(entry, l), fence: false);
            }

            if (LiveLanes(entry) == 0)
                FailPeer(peer, $"The last NIC towards {peer.Address}, {nic.Domain.Address}, has failed.");
        }

        Restage(nic, nic.TakeBack(null));
    }

    /// <summary>Writes that a failed NIC or route never took are dealt to other lanes.</summary>
    private void Restage(Nic nic, List<(FabricWrite Write, Nic.StagedRegions Regions)> writes)
    {
        foreach ((FabricWrite write, Nic.StagedRegions regions) in writes)
        {
            Lane* lane = LaneOf(_peerEntries + TransferRecords.PeerOf(write.Context), TransferRecords.LaneOf(write.Context));
            lane->Outstanding--;
            int index = _records.Find(write.Context);
            if (index >= 0)
                Restage(index, _records[index], write, regions, nic, lane);
        }
    }

    private void Restage(int index, TransferRecord* record, in FabricWrite write, Nic.StagedRegions regions, Nic nic, Lane* lane)
    {
        record->Outstanding--;
        RegionEntry* destination = _engine.Regions.Find(regions.Destination);
        RegionEntry* source = write.Length == 0 ? null : _engine.Regions.Find(regions.Source);
        if ((record->Flags & TransferFlags.Stopping) == 0)
        {
            var immediate = Immediate.FromBits(write.Immediate);
            uint units = immediate.IsCounter ? (uint)immediate.Units : 1;
            if (immediate.IsCounter)
                immediate = Immediate.FromBits(write.Immediate & ~Immediate.UnitMask);
            WriteDescriptor descriptor = destination is null || (write.Length != 0 && source is null)
                ? WriteDescriptor.Create(regions.Source, 0, regions.Destination, 0, write.Length, immediate, units)
                : WriteDescriptor.Create(
                    regions.Source,
                    source is null ? 0 : (long)(write.LocalAddress - source->Bases[nic.Index]),
                    regions.Destination,
                    (long)(write.RemoteAddress - destination->Bases[lane->RemoteNic]),
                    write.Length,
                    immediate,
                    units);
            record->Bytes -= write.Length;
            record->Writes--;
            _advancing = index;
            // A transfer that already keeps a cut descriptor has no second place for one.
            bool crowded = (record->Flags & TransferFlags.HasPartial) != 0;
            if ((crowded || StageBatch(index, record, &descriptor, 1) == 0) && (record->Flags & TransferFlags.Stopping) == 0)
                Fail(index, record, new FabricException($"NIC {nic.Domain.Address} failed and no other lane had room for a write it had not taken; submit again.", FabricStatus.NicDown));
            _advancing = -1;
        }

        TryFinish(index, record);
    }
}
