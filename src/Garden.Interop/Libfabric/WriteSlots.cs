using System.Runtime.InteropServices;
using Garden.Fabric;
using Garden.Interop.Libfabric.Native;

namespace Garden.Interop.Libfabric;

/// <summary>The writes a NIC has accepted and not reported, in unmanaged memory: a slot's address is the operation's context.</summary>
/// <remarks>A free slot keeps its last route, so that taking it for the same one again stores no reference: most are.</remarks>
internal sealed unsafe class WriteSlots : IDisposable
{
    private const int SlotBits = 7;
    private readonly Slot* _slots;
    private readonly LibfabricRoute?[] _routes;
    private readonly int[] _free;
    private readonly bool[] _taken;
    private int _freeCount;

    public WriteSlots(int count)
    {
        Count = count;
        _slots = (Slot*)NativeMemory.AlignedAlloc((nuint)count << SlotBits, 128);
        NativeMemory.Clear(_slots, (nuint)count << SlotBits);
        _routes = new LibfabricRoute?[count];
        _free = new int[count];
        _taken = new bool[count];
        for (int i = count - 1; i >= 0; i--)
            _free[_freeCount++] = i;
    }

    public int Count { get; }

    public int InUse => Count - _freeCount;

    // Safe: callers pass slots that they took and did not give back.
    public Slot* this[int index] => _slots + index;

    public LibfabricRoute RouteOf(int index) => _routes[index]!;

    public bool IsInUse(int index) => _taken[index];

    public int TryTake(LibfabricRoute route)
    {
        if (_freeCount == 0)
            return -1;
        int index = _free[--_freeCount];
        _taken[index] = true;
        if (_routes[index] != route)
            _routes[index] = route;
        return index;
    }

    public void Return(int index)
    {
        _taken[index] = false;
        _free[_freeCount++] = index;
    }

    /// <summary>The slot whose address an operation's context is, −1 when it is not one of these.</summary>
    public int IndexOf(void* context)
    {
        nuint offset = (nuint)context - (nuint)_slots;
        return offset < (nuint)Count << SlotBits ? (int)(offset >> SlotBits) : -1;
    }

    public void Dispose() => NativeMemory.AlignedFree(_slots);

    /// <summary>128 bytes: what a provider may want for itself, and the write.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 1 << SlotBits)]
    public struct Slot
    {
        public fi_context2 Native;
        public FabricWrite Write;
    }
}
