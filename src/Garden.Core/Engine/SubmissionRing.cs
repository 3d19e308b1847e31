using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Garden;

/// <summary>A bounded queue of <see cref="SubmissionSlot"/>s in unmanaged memory: many producers, one consumer.</summary>
/// <remarks>
/// Protocol. Sequences are the low 32 bits of positions; a ring is far shorter than that. Slot i starts with sequence i. A producer that reads sequence == tail owns the slot once its compare-exchange
/// moves the tail; it fills the slot and publishes with an exchange of sequence = position + 1 (a full fence, so that the
/// producer's next read, whether the worker is parked, comes after it). The consumer reads sequence == head + 1 (acquire),
/// uses the slot in place and frees it with a release store of head + capacity. A producer that finds a sequence below the tail
/// sees a full ring. Head and tail live on cache lines of their own. Closing sets the tail's sign bit: a producer that reads it
/// sees a full ring for good, and the consumer knows how far to drain. The memory is freed by the finalizer, when no producer
/// can be on its way into it any more.
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
            // Safe: the mask keeps the index inside the allocation.
            slot = _slots + (position & _mask);
            int difference = (int)(Volatile.Read(ref slot->Sequence) - (uint)position);
            if (difference == 0)
            {
                long seen = Interlocked.CompareExchange(ref _positions.Tail, position + 1, position);
                if (seen == position)
                    return true;
                position = seen;
            }
            else if (difference < 0)
            {
                return false;
            }
            else
            {
                position = Volatile.Read(ref _positions.Tail);
            }
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
        long head = _positions.Head;
        Volatile.Write(ref slot->Sequence, (uint)(head + _mask + 1));
        Volatile.Write(ref _positions.Head, head + 1);
    }

    /// <summary>Frees the slots.</summary>
    ~SubmissionRing() => NativeMemory.AlignedFree(_slots);

    [StructLayout(LayoutKind.Explicit, Size = 384)]
    private struct Positions
    {
        [FieldOffset(128)]
        public long Tail;

        [FieldOffset(256)]
        public long Head;
    }
}
