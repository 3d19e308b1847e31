using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Garden;

/// <summary>A bounded queue of <see cref="SubmissionSlot"/>s in unmanaged memory: many producers, one consumer.</summary>
/// <remarks>
/// Protocol. A producer owns position p once its compare-exchange moves the tail from p to p + 1, which it tries only while
/// p − head is less than the capacity; it knows the head from an older reading that producers share, and reads it anew only when
/// that looks full. It fills the slot and publishes with an exchange of sequence = p + 1 (a full fence, so that the producer's next
/// read, whether the worker is parked, comes after it). The consumer reads sequence == head + 1 (acquire), uses the slot in place
/// and frees it with a release store of the head. It never writes to a slot, and a producer never reads one: a request costs one
/// cache line on its way there and none on its way back. Sequences are the low 32 bits of positions; a ring is far shorter than
/// that. Closing sets the tail's sign bit: a producer that reads it sees a full ring for good, and the consumer knows how far to
/// drain. The memory is freed by the finalizer, when no producer can be on its way into it any more. Head and tail live on cache
/// lines of their own.
/// </remarks>
internal sealed unsafe class SubmissionRing
{
    private readonly SubmissionSlot* _slots;
    private readonly long _mask;
    private Positions _positions;

    public SubmissionRing(int capacity)
    {
        if (capacity < 2 || (capacity & (capacity - 1)) != 0)
            throw new ArgumentOutOfRangeException(nameof(capacity), capacity, "The ring's capacity is a power of two, 2 or more.");
        _mask = capacity - 1;
        _slots = (SubmissionSlot*)NativeMemory.AlignedAlloc((nuint)capacity * SubmissionSlot.SizeInBytes, SubmissionSlot.SizeInBytes);
        for (int i = 0; i < capacity; i++)
            _slots[i].Sequence = (uint)i;
    }

    /// <summary>Position the next producer gets; everything submitted so far lies before it.</summary>
    public long Tail => Volatile.Read(ref _positions.Tail) & long.MaxValue;

    /// <summary>Position the consumer reads next.</summary>
    public long Head => Volatile.Read(ref _positions.Head);

    /// <summary>Producer: claims a slot; false when the ring is full.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryClaim(out SubmissionSlot* slot, out long position)
    {
        position = Volatile.Read(ref _positions.Tail);
        while (position >= 0)
        {
            if (position - Volatile.Read(ref _positions.KnownHead) > _mask && position - ReadHead() > _mask)
                break;
            long seen = Interlocked.CompareExchange(ref _positions.Tail, position + 1, position);
            if (seen == position)
            {
                // Safe: the mask keeps the index inside the allocation.
                slot = _slots + (position & _mask);
                return true;
            }

            position = seen;
        }

        slot = null;
        return false;
    }

    /// <summary>Lets no producer in any more. What was claimed before is published soon: drain until <see cref="IsDrained"/>.</summary>
    public void Close() => Interlocked.Or(ref _positions.Tail, long.MinValue);

    /// <summary>Consumer: true when everything claimed so far has been taken.</summary>
    public bool IsDrained => Head == Tail;

    /// <summary>Producer: hands a filled slot to the consumer.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Publish(SubmissionSlot* slot, long position) => Interlocked.Exchange(ref slot->Sequence, (uint)position + 1);

    /// <summary>Consumer: the next published slot, or null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public SubmissionSlot* Peek()
    {
        SubmissionSlot* slot = _slots + (_positions.Head & _mask);
        return Volatile.Read(ref slot->Sequence) == (uint)_positions.Head + 1 ? slot : null;
    }

    /// <summary>Consumer: frees the slot that <see cref="Peek"/> gave.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Advance(SubmissionSlot* slot)
    {
        Debug.Assert(slot == _slots + (_positions.Head & _mask), "Slots are freed in the order they were taken.");
        Volatile.Write(ref _positions.Head, _positions.Head + 1);
    }

    /// <summary>Frees the slots.</summary>
    ~SubmissionRing() => NativeMemory.AlignedFree(_slots);

    /// <summary>Reads the head and tells the other producers. An older value that overwrites a newer one is only more careful.</summary>
    private long ReadHead()
    {
        long head = Volatile.Read(ref _positions.Head);
        Volatile.Write(ref _positions.KnownHead, head);
        return head;
    }

    [StructLayout(LayoutKind.Explicit, Size = 384)]
    private struct Positions
    {
        [FieldOffset(128)]
        public long Tail;

        [FieldOffset(136)]
        public long KnownHead;

        [FieldOffset(256)]
        public long Head;
    }
}
