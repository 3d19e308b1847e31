using System.Runtime.InteropServices;
using Garden.Fabric;

namespace Garden;

/// <summary>
/// One NIC of a device as its worker sees it: the domain, the writes staged for it and how much is in flight. Staged
/// writes of many transfers go out in one post.
/// </summary>
internal sealed unsafe class Nic : IDisposable
{
    /// <summary>Writes handed to the domain in one call.</summary>
    public const int StagingCapacity = 64;

    private readonly FabricWrite* _staged;
    private readonly StagedRegions* _regions;
    private int _first;
    private int _count;

    public Nic(IFabricDomain domain, int index)
    {
        Domain = domain;
        Index = index;
        Capabilities = domain.Capabilities;
        _staged = (FabricWrite*)NativeMemory.AlignedAlloc(StagingCapacity * (nuint)sizeof(FabricWrite), 64);
        _regions = (StagedRegions*)NativeMemory.Alloc(StagingCapacity, (nuint)sizeof(StagedRegions));
        // A quarter of the queue for one lane: a slow peer cannot take it all from the others.
        LaneWindow = Math.Min(Capabilities.QueueDepth, Math.Max(16, Capabilities.QueueDepth / 4));
        Counters = new NicCounters();
    }

    public IFabricDomain Domain { get; }

    public int Index { get; }

    public FabricCapabilities Capabilities { get; }

    public NicCounters Counters { get; }

    /// <summary>The most writes one lane may have in flight on this NIC.</summary>
    public int LaneWindow { get; }

    /// <summary>Writes staged or posted and not yet completed.</summary>
    public int Outstanding { get; set; }

    /// <summary>False once the NIC has failed.</summary>
    public bool Alive { get; set; } = true;

    /// <summary>The peer and lane behind each open route.</summary>
    public Dictionary<int, (int Peer, int Lane)> Routes { get; } = [];

    /// <summary>True when the domain has not taken all that was staged.</summary>
    public bool HasStaged => _count != 0;

    /// <summary>How many more writes can be staged now.</summary>
    public int Room
    {
        get
        {
            int room = Math.Min(StagingCapacity - _count, Capabilities.QueueDepth - Outstanding);
            if (room == 0 && _count == StagingCapacity)
            {
                Flush();
                room = Math.Min(StagingCapacity - _count, Capabilities.QueueDepth - Outstanding);
            }

            return Alive ? room : 0;
        }
    }

    /// <summary>The next free staging places, contiguous; <see cref="Commit"/> says how many were filled.</summary>
    public FabricWrite* Next(out StagedRegions* regions)
    {
        if (_first != 0)
        {
            // What back-pressure left over moves to the front; at most 63 entries and only then.
            Buffer.MemoryCopy(_staged + _first, _staged, StagingCapacity * sizeof(FabricWrite), (long)_count * sizeof(FabricWrite));
            Buffer.MemoryCopy(_regions + _first, _regions, StagingCapacity * sizeof(StagedRegions), (long)_count * sizeof(StagedRegions));
            _first = 0;
        }

        regions = _regions + _count;
        return _staged + _count;
    }

    public void Commit(int count)
    {
        _count += count;
        Outstanding += count;
    }

    /// <summary>Posts what is staged. False when the NIC took less than that.</summary>
    public bool Flush()
    {
        if (_count == 0 || !Alive)
            return _count == 0;
        // Safe: first + count never passes the capacity.
        int accepted = Domain.PostWrites(new ReadOnlySpan<FabricWrite>(_staged + _first, _count));
        Counters.Writes += accepted;
        if (accepted == _count)
        {
            _first = 0;
            _count = 0;
            return true;
        }

        Counters.BackPressure++;
        _first += accepted;
        _count -= accepted;
        return false;
    }

    /// <summary>Takes staged writes that the domain never accepted back: those of one route, or all.</summary>
    public List<(FabricWrite Write, StagedRegions Regions)> TakeBack(int? route)
    {
        var taken = new List<(FabricWrite, StagedRegions)>();
        int kept = 0;
        for (int i = _first; i < _first + _count; i++)
        {
            if (route is null || _staged[i].Route == route)
            {
                taken.Add((_staged[i], _regions[i]));
                continue;
            }

            // Safe: kept never passes i.
            _staged[kept] = _staged[i];
            _regions[kept++] = _regions[i];
        }

        Outstanding -= taken.Count;
        _first = 0;
        _count = kept;
        return taken;
    }

    public void Dispose()
    {
        Domain.Dispose();
        NativeMemory.AlignedFree(_staged);
        NativeMemory.Free(_regions);
    }

    /// <summary>The regions of a staged write, so that it can be dealt again when the NIC fails before taking it.</summary>
    internal struct StagedRegions
    {
        public RegionHandle Source;
        public RegionHandle Destination;
    }
}
