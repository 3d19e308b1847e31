using System.Runtime.InteropServices;
using Garden.Fabric;
using Garden.Interop.Libfabric.Native;

namespace Garden.Interop.Libfabric;

/// <summary>The writes a NIC has accepted and not reported, in unmanaged memory: the address of a slot's native context is the operation's context.</summary>
/// <remarks>
/// A free slot keeps its last route, so that taking it for the same one again stores no reference: most are. The slot of a write that was
/// reported although the provider may still have it is lost: another one takes its place until the provider ends it, too.
/// </remarks>
internal sealed unsafe class WriteSlots : IDisposable
{
    /// <summary>Lengths that no accepted write has.</summary>
    private const long Free = -1, Lost = -2;

    private readonly fi_context2* _contexts;
    private readonly Held* _held;
    private readonly FabricWrite* _waiting;
    private readonly LibfabricRoute?[] _routes;
    private readonly int* _free;
    private readonly int _count;
    private readonly Stack<int> _spare;
    private readonly Queue<int> _lost = new();
    private int _freeCount;

    /// <summary>So many slots, and as many again to replace lost ones.</summary>
    public WriteSlots(int depth)
    {
        int count = 2 * depth;
        Count = count;
        _count = depth;
        _spare = new Stack<int>(Enumerable.Range(depth, depth));
        _contexts = Allocate<fi_context2>(count);
        _held = Allocate<Held>(count);
        _waiting = Allocate<FabricWrite>(count);
        _routes = new LibfabricRoute?[count];
        _free = Allocate<int>(count);
        for (int i = count - 1; i >= 0; i--)
            _held[i].Length = Free;
        for (int i = depth - 1; i >= 0; i--)
            Return(i);
    }

    /// <summary>Slots there are; indices are below it.</summary>
    public int Count { get; }

    public int InUse => _count - _freeCount;

    // Safe, as the next two: callers pass slots that they took and did not give back.

    /// <summary>What the operation has as its context, for the provider's use.</summary>
    public void* ContextOf(int index) => _contexts + index;

    /// <summary>What is needed at a write's end.</summary>
    public ref readonly Held this[int index] => ref _held[index];

    /// <summary>The whole write, kept only while the provider has not taken it.</summary>
    public ref FabricWrite Waiting(int index) => ref _waiting[index];

    public LibfabricRoute RouteOf(int index) => _routes[index]!;

    public bool IsInUse(int index) => _held[index].Length >= 0;

    /// <summary>A slot for a write, −1 when there is none.</summary>
    public int TryTake(LibfabricRoute route, ulong context, long length)
    {
        if (_freeCount == 0)
            return -1;
        // Safe: the stack holds the numbers of free slots, each once.
        int index = _free[--_freeCount];
        _held[index].Context = context;
        _held[index].Length = length;
        if (_routes[index] != route)
            _routes[index] = route;
        return index;
    }

    public void Return(int index)
    {
        _held[index].Length = Free;
        _free[_freeCount++] = index;
    }

    /// <summary>Gives up a slot that the provider may still have: its context is not another write's before the provider has ended it.</summary>
    public void Lose(int index)
    {
        _held[index].Length = Lost;
        _lost.Enqueue(index);
        if (!_spare.TryPop(out int other))
        {
            // As many as there are slots never ended: the one that was lost first is least likely to.
            do
                other = _lost.Dequeue();
            while (_held[other].Length != Lost);
        }

        Return(other);
    }

    /// <summary>The provider has ended a write whose slot is not in use.</summary>
    public void EndLost(int index)
    {
        if (_held[index].Length != Lost)
            return;
        _held[index].Length = Free;
        _spare.Push(index);
    }

    /// <summary>The slot whose context an operation's is, −1 when it is not one of these.</summary>
    public int IndexOf(void* context)
    {
        nuint offset = (nuint)context - (nuint)_contexts;
        return offset < (nuint)Count * (nuint)sizeof(fi_context2) ? (int)(offset / (nuint)sizeof(fi_context2)) : -1;
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_contexts);
        NativeMemory.AlignedFree(_held);
        NativeMemory.AlignedFree(_waiting);
        NativeMemory.AlignedFree(_free);
    }

    private static T* Allocate<T>(int count) where T : unmanaged
    {
        nuint bytes = (nuint)count * (nuint)sizeof(T);
        var memory = (T*)NativeMemory.AlignedAlloc(bytes, 64);
        NativeMemory.Clear(memory, bytes);
        return memory;
    }

    /// <summary>Four of them in a cache line: a write under way touches no more than that.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Held
    {
        public ulong Context;
        public long Length;
    }
}
