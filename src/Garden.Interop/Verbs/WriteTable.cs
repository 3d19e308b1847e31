using System.Runtime.InteropServices;
using Garden.Fabric;

namespace Garden.Interop.Verbs;

/// <summary>A chain of slots, oldest first.</summary>
internal struct SlotList
{
    public int Head;
    public int Tail;

    public static SlotList Empty => new() { Head = -1, Tail = -1 };

    public readonly bool IsEmpty => Head < 0;
}

/// <summary>The accepted writes of a NIC: each in a slot that is in its connection's list of waiting or of posted ones.</summary>
internal sealed unsafe class WriteTable : IDisposable
{
    private readonly FabricWrite* _writes;
    private readonly Slot[] _slots;
    private readonly int[] _free;
    private int _freeCount;

    public WriteTable(int count)
    {
        _writes = (FabricWrite*)NativeMemory.AlignedAlloc((nuint)count * (nuint)sizeof(FabricWrite), 64);
        _slots = new Slot[count];
        _free = new int[count];
        for (int i = count - 1; i >= 0; i--)
            _free[_freeCount++] = i;
    }

    public int InUse => _slots.Length - _freeCount;

    // Safe: callers pass slots that they took and did not give back.
    public FabricWrite* this[int slot] => _writes + slot;

    public ref Slot StateOf(int slot) => ref _slots[slot];

    public int TryTake(VerbsConnection owner)
    {
        if (_freeCount == 0)
            return -1;
        int slot = _free[--_freeCount];
        _slots[slot].Owner = owner;
        _slots[slot].Sequence++;
        return slot;
    }

    public void Return(int slot)
    {
        _slots[slot].Owner = null;
        _free[_freeCount++] = slot;
    }

    /// <summary>The connection whose request a completion is of; null when it is a late one of a connection that is gone.</summary>
    public VerbsConnection? OwnerOf(WorkId id) =>
        (uint)id.Index < (uint)_slots.Length && _slots[id.Index].Sequence == id.Sequence ? _slots[id.Index].Owner : null;

    public void Append(ref SlotList list, int slot)
    {
        _slots[slot].Next = -1;
        if (list.IsEmpty)
            list.Head = slot;
        else
            _slots[list.Tail].Next = slot;
        list.Tail = slot;
    }

    /// <summary>Takes the oldest slot out; the list is not empty.</summary>
    public int TakeFirst(ref SlotList list)
    {
        int slot = list.Head;
        list.Head = _slots[slot].Next;
        if (list.Head < 0)
            list.Tail = -1;
        return slot;
    }

    public void Dispose() => NativeMemory.AlignedFree(_writes);

    /// <summary>State of one slot.</summary>
    public struct Slot
    {
        public VerbsConnection? Owner;
        public int Next;
        public uint Sequence;

        /// <summary>For a posted one, the last slot of the request that carries it.</summary>
        public int RequestEnd;
    }
}
