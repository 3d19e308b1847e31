using System.Runtime.InteropServices;
using Garden.Interop.Libfabric.Native;

namespace Garden.Interop.Libfabric;

/// <summary>Messages on their way out, each in a buffer of its own. A slot is free again when the provider and the receiver are done with it.</summary>
internal sealed unsafe class MessageSlots : IDisposable
{
    private readonly long _stride;
    private readonly byte* _buffers;
    private readonly fi_context2* _contexts;
    private readonly Slot[] _slots;
    private readonly int[] _free;
    private readonly Queue<(int Index, ushort Generation)> _lost = new();
    private int _freeCount;

    public MessageSlots(int count, int length)
    {
        _stride = (length + 63L) & ~63L;
        Bytes = count * _stride;
        _buffers = (byte*)NativeMemory.AlignedAlloc((nuint)Bytes, 4096);
        _contexts = (fi_context2*)NativeMemory.AlignedAlloc((nuint)count * (nuint)sizeof(fi_context2), 64);
        _slots = new Slot[count];
        _free = new int[count];
        for (int i = count - 1; i >= 0; i--)
            _free[_freeCount++] = i;
    }

    public int Count => _slots.Length;

    /// <summary>All buffers, for registering them.</summary>
    public byte* Buffers => _buffers;

    /// <summary>Length of <see cref="Buffers"/>.</summary>
    public long Bytes { get; }

    public ref Slot this[int index] => ref _slots[index];

    public byte* BufferOf(int index) => _buffers + (index * _stride);

    public fi_context2* ContextOf(int index) => _contexts + index;

    public int TryTake(LibfabricRoute route, ulong context)
    {
        if (_freeCount == 0)
            return -1;
        int index = _free[--_freeCount];
        ref Slot slot = ref _slots[index];
        slot.Route = route;
        slot.Context = context;
        slot.Generation++;
        slot.IsWithProvider = false;
        slot.IsOpen = true;
        slot.IsTold = false;
        slot.Revocation = null;
        return index;
    }

    /// <summary>Gives the slot back once nobody has it any more.</summary>
    public void ReturnIfDone(int index)
    {
        ref Slot slot = ref _slots[index];
        if (slot.IsWithProvider || slot.IsOpen || slot.Route is null)
            return;
        slot.Route = null;
        _free[_freeCount++] = index;
    }

    /// <summary>Its peer is gone and the provider may never end it. It has its buffer all the same, as long as not a quarter of the slots are such.</summary>
    public void Lose(int index)
    {
        _lost.Enqueue((index, _slots[index].Generation));
        while (_lost.Count > Math.Max(1, _slots.Length / 4))
        {
            (int oldest, ushort generation) = _lost.Dequeue();
            if (_slots[oldest].Generation != generation)
                continue;
            _slots[oldest].IsWithProvider = false;
            ReturnIfDone(oldest);
        }
    }

    /// <summary>What the receiver answers with: the slot and its generation.</summary>
    public uint TokenOf(int index) => ((uint)_slots[index].Generation << 16) | (uint)index;

    /// <summary>The open slot a token names, −1 when there is none.</summary>
    public int Find(uint token)
    {
        int index = (int)(token & 0xffff);
        return index < _slots.Length && _slots[index].IsOpen && _slots[index].Generation == (ushort)(token >> 16) ? index : -1;
    }

    /// <summary>The slot whose context an operation has, −1 when it is not one of these.</summary>
    public int IndexOf(void* context)
    {
        nuint offset = (nuint)context - (nuint)_contexts;
        return offset < (nuint)_slots.Length * (nuint)sizeof(fi_context2) ? (int)(offset / (nuint)sizeof(fi_context2)) : -1;
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_buffers);
        NativeMemory.AlignedFree(_contexts);
    }

    /// <summary>State of one message.</summary>
    public struct Slot
    {
        public LibfabricRoute? Route;
        public ulong Context;
        public int Length;
        public ushort Generation;

        /// <summary>True between the send and its completion.</summary>
        public bool IsWithProvider;

        /// <summary>True until the receiver has acknowledged it or its route is gone.</summary>
        public bool IsOpen;

        /// <summary>True when nobody is to hear of its end: it is not a message of the engine.</summary>
        public bool IsTold;

        /// <summary>The revocation it tells of; null for everything else.</summary>
        public Revocation? Revocation;
    }
}
