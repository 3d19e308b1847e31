using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>Messages on their way out, each in a buffer of its own until the peer's NIC has it.</summary>
internal sealed unsafe class MessageSends : IDisposable
{
    private readonly BufferPool _buffers;
    private readonly Slot[] _slots;
    private readonly int[] _free;
    private int _freeCount;

    public MessageSends(ibv_pd* pd, int count, int length, string where)
    {
        _buffers = new BufferPool(pd, count, length, where);
        _slots = new Slot[count];
        _free = new int[count];
        for (int i = count - 1; i >= 0; i--)
            _free[_freeCount++] = i;
    }

    public int Count => _slots.Length;

    public ref Slot this[int slot] => ref _slots[slot];

    public Span<byte> BufferOf(int slot) => new(_buffers[slot], _buffers.Length);

    public ibv_sge PieceOf(int slot) => _buffers.PieceOf(slot, _slots[slot].Length);

    public int TryTake(VerbsConnection owner, int route, ulong context)
    {
        if (_freeCount == 0)
            return -1;
        int index = _free[--_freeCount];
        ref Slot slot = ref _slots[index];
        slot.Owner = owner;
        slot.Route = route;
        slot.Context = context;
        slot.IsPosted = false;
        slot.IsSilent = false;
        slot.Sequence++;
        return index;
    }

    public void Return(int slot)
    {
        _slots[slot].Owner = null;
        _free[_freeCount++] = slot;
    }

    /// <summary>The connection whose message a completion is of; null when it is a late one of a connection that is gone.</summary>
    public VerbsConnection? OwnerOf(WorkId id) =>
        (uint)id.Index < (uint)_slots.Length && _slots[id.Index].Sequence == id.Sequence && _slots[id.Index].IsPosted ? _slots[id.Index].Owner : null;

    public void Dispose() => _buffers.Dispose();

    /// <summary>State of one message.</summary>
    public struct Slot
    {
        public VerbsConnection? Owner;
        public int Route;
        public ulong Context;
        public int Length;
        public uint Sequence;

        /// <summary>True when the NIC has it.</summary>
        public bool IsPosted;

        /// <summary>True when nobody is to hear of its end: it is not a message of the engine.</summary>
        public bool IsSilent;
    }
}
