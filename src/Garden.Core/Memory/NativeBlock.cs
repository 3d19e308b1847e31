using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Garden;

/// <summary>
/// A ref-counted block of native memory behind the list handles of plans. Blocks come from size classes and are never
/// given back to the operating system, so a stale handle always points at a readable header, whose generation tells.
/// </summary>
/// <remarks>
/// Protocol. Rent: pop from the size class under its lock, references = 1. Retain: compare-exchange, only from ≥ 1 and only
/// with the right generation. Release: decrement; the one that reaches 0 bumps the generation and pushes the block back.
/// A handle is the address in the low 48 bits (user-space addresses of x64 and Arm64 fit) and the generation above.
/// </remarks>
[StructLayout(LayoutKind.Sequential, Size = HeaderBytes)]
internal unsafe struct NativeBlock
{
    public const int HeaderBytes = 64;
    private const int SmallestShift = 8;
    private const int Classes = 32;
    private const int GenerationShift = 48;
    private const ulong AddressMask = (1UL << GenerationShift) - 1;

    private static readonly Lock[] s_locks = CreateLocks();
    private static readonly NativeBlock*[] s_free = new NativeBlock*[Classes];
    private static long s_outstanding;

    private int _references;
    private int _generation;
    private int _sizeClass;
    private int _count;
    private int _minimum;
    private int _maximum;
    private NativeBlock* _next;

    /// <summary>Blocks rented and not yet released, over the process: zero when every plan and list is done.</summary>
    public static long Outstanding => Volatile.Read(ref s_outstanding);

    public static ulong Rent(int count, int itemBytes, out void* items)
    {
        long bytes = checked(HeaderBytes + ((long)count * itemBytes));
        int sizeClass = Math.Max(0, 64 - System.Numerics.BitOperations.LeadingZeroCount((ulong)bytes - 1) - SmallestShift);
        NativeBlock* block;
        lock (s_locks[sizeClass])
        {
            block = s_free[sizeClass];
            if (block is not null)
                s_free[sizeClass] = block->_next;
        }

        if (block is null)
        {
            block = (NativeBlock*)NativeMemory.AlignedAlloc((nuint)1 << (sizeClass + SmallestShift), HeaderBytes);
            if (((ulong)block & ~AddressMask) != 0)
                throw new PlatformNotSupportedException($"Address 0x{(ulong)block:x} does not fit 48 bits; Garden packs a generation above them.");
            block->_generation = 1;
            block->_sizeClass = sizeClass;
        }

        block->_count = count;
        block->_minimum = 0;
        block->_maximum = -1;
        Volatile.Write(ref block->_references, 1);
        Interlocked.Increment(ref s_outstanding);
        items = block + 1;
        return (ulong)block | ((ulong)(uint)block->_generation << GenerationShift);
    }

    public static void SetRange(ulong handle, int minimum, int maximum)
    {
        Pointer(handle)->_minimum = minimum;
        Pointer(handle)->_maximum = maximum;
    }

    public static int Minimum(ulong handle) => Pointer(handle)->_minimum;

    public static int Maximum(ulong handle) => Pointer(handle)->_maximum;

    /// <summary>True when the handle names a block that is still referenced.</summary>
    public static bool IsLive(ulong handle) =>
        handle != 0
        && Pointer(handle)->_generation == (int)(handle >> GenerationShift)
        && Volatile.Read(ref Pointer(handle)->_references) > 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Count(ulong handle) => handle == 0 ? 0 : Pointer(handle)->_count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void* Items(ulong handle) => Pointer(handle) + 1;

    public static void Retain(ulong handle)
    {
        if (handle == 0)
            return;
        NativeBlock* block = Pointer(handle);
        int references = Volatile.Read(ref block->_references);
        while (references > 0 && Volatile.Read(ref block->_generation) == (int)(handle >> GenerationShift))
        {
            int seen = Interlocked.CompareExchange(ref block->_references, references + 1, references);
            if (seen == references)
            {
                // The block may have been recycled between the check and the exchange: then the reference is another list's.
                if (Volatile.Read(ref block->_generation) == (int)(handle >> GenerationShift))
                    return;
                Drop(block);
                break;
            }

            references = seen;
        }

        ThrowHelper.ThrowListDisposed();
    }

    public static void Release(ulong handle)
    {
        if (handle != 0)
            Drop(Pointer(handle));
    }

    private static void Drop(NativeBlock* block)
    {
        if (Interlocked.Decrement(ref block->_references) != 0)
            return;
        // 1 … 65535: zero never names a live block.
        int generation = block->_generation + 1;
        Volatile.Write(ref block->_generation, generation > ushort.MaxValue ? 1 : generation);
        Interlocked.Decrement(ref s_outstanding);
        lock (s_locks[block->_sizeClass])
        {
            block->_next = s_free[block->_sizeClass];
            s_free[block->_sizeClass] = block;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static NativeBlock* Pointer(ulong handle) => (NativeBlock*)(handle & AddressMask);

    private static Lock[] CreateLocks()
    {
        var locks = new Lock[Classes];
        for (int i = 0; i < locks.Length; i++)
            locks[i] = new Lock();
        return locks;
    }
}
