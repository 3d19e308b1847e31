using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Garden;

/// <summary>The engine's regions, local and remote, in unmanaged memory.</summary>
/// <remarks>
/// Protocol. Writers hold the lock: they fill a free row, then publish its generation with a release store. Readers
/// (submitters and workers) compare the handle's generation with an acquire load and then read the row; a row's fields
/// are not changed while its generation is published, except that Local becomes Closing. Freed rows queue up at the back, so
/// that a row is reused as late as possible and a 12-bit generation is enough to tell stale handles.
/// </remarks>
internal sealed unsafe class RegionTable
{
    /// <summary>Rows that wait before the first is used again, while there are fresh ones.</summary>
    private const int LeastFree = 64;

    private readonly Lock _lock = new();
    private readonly Queue<int> _free = new();
    private readonly int _capacity;
    private readonly RegionEntry* _entries;
    private int _used;

    public RegionTable(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(capacity, 1 << RegionHandle.IndexBits);
        _capacity = capacity;
        // Zeroed by the operating system on first touch: an unused row costs no memory.
        _entries = (RegionEntry*)NativeMemory.AllocZeroed((nuint)capacity, RegionEntry.SizeInBytes);
    }

    /// <summary>Rows in use.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return _used - _free.Count;
        }
    }

    public RegionHandle Add(RegionState state, int peer, int device, long length, ReadOnlySpan<ulong> bases, ReadOnlySpan<ulong> keys)
    {
        lock (_lock)
        {
            int index = 0;
            if ((_free.Count < LeastFree && _used < _capacity) || !_free.TryDequeue(out index))
            {
                if (_used == _capacity)
                    throw new PlanException($"All {_capacity} region rows are in use; unregister regions or raise TransferEngineOptions.MaxRegions.");
                index = _used++;
            }

            RegionEntry* entry = _entries + index;
            int generation = Math.Max(1, entry->NextGeneration);
            entry->NextGeneration = generation == RegionHandle.MaxGeneration ? 1 : generation + 1;
            entry->State = state;
            entry->Peer = peer;
            entry->Device = device;
            entry->Length = length;
            bases.CopyTo(entry->Bases);
            keys.CopyTo(entry->Keys);
            Volatile.Write(ref entry->Generation, generation);
            return new RegionHandle(index, generation);
        }
    }

    /// <summary>The row of a live handle, or null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public RegionEntry* Find(RegionHandle handle)
    {
        // Safe: the index is checked against the rows that exist before the row is touched.
        if ((uint)handle.Index >= (uint)_capacity || handle.IsNone)
            return null;
        RegionEntry* entry = _entries + handle.Index;
        return Volatile.Read(ref entry->Generation) == handle.Generation ? entry : null;
    }

    /// <summary>Refuses new transfers from a local region. False when the handle is stale or closing already.</summary>
    public bool TryClose(RegionHandle handle)
    {
        lock (_lock)
        {
            RegionEntry* entry = Find(handle);
            if (entry is null || entry->State != RegionState.Local)
                return false;
            entry->State = RegionState.Closing;
            return true;
        }
    }

    /// <summary>Reopens a region whose drain was not confirmed in time.</summary>
    public void Reopen(RegionHandle handle)
    {
        lock (_lock)
        {
            RegionEntry* entry = Find(handle);
            if (entry is not null && entry->State == RegionState.Closing)
                entry->State = RegionState.Local;
        }
    }

    /// <summary>Frees a row; false when the handle is stale.</summary>
    public bool Remove(RegionHandle handle)
    {
        lock (_lock)
        {
            RegionEntry* entry = Find(handle);
            if (entry is null)
                return false;
            Volatile.Write(ref entry->Generation, 0);
            entry->State = RegionState.Free;
            _free.Enqueue(handle.Index);
            return true;
        }
    }

    /// <summary>Frees all remote regions of a peer.</summary>
    public void RemovePeer(int peer, int device)
    {
        lock (_lock)
        {
            for (int i = 0; i < _used; i++)
            {
                if (_entries[i].Generation != 0 && _entries[i].State == RegionState.Remote && _entries[i].Peer == peer && _entries[i].Device == device)
                    Remove(new RegionHandle(i, _entries[i].Generation));
            }
        }
    }

    /// <summary>Freed by the finalizer: handles may be looked up from any thread, also after the engine's end.</summary>
    ~RegionTable() => NativeMemory.Free(_entries);
}
