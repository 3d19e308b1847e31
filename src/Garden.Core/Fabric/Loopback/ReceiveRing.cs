using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Garden.Fabric.Loopback;

/// <summary>The arrivals of one NIC: a bounded ring with many producers (senders) and one consumer (its worker).</summary>
/// <remarks>
/// Protocol. Room and place are taken apart, so that a sender in the middle of a long copy holds no place others queue behind.
/// Producer: take credits (compare-exchange, so never more than there are) before copying; copy; then claim as many
/// tickets as there are arrivals (one interlocked add), fill the slots, and publish each with a release store of
/// Sequence = ticket + 1, which makes the payload visible before it. Unused credits go back.
/// Consumer: take slot head while Sequence = head + 1 (acquire), then give its credits back (interlocked add: the reads of
/// the slots come before it). Tickets in flight never exceed the credits, hence a claimed slot has been consumed.
/// </remarks>
internal sealed class ReceiveRing
{
    private readonly Slot[] _slots;
    private readonly int _mask;
    private Counters _counters;

    public ReceiveRing(int depth)
    {
        _slots = new Slot[(int)BitOperations.RoundUpToPowerOf2((uint)depth)];
        _mask = _slots.Length - 1;
        _counters.Credits = depth;
    }

    /// <summary>True when an arrival can be taken. Consumer only.</summary>
    public bool HasArrival => Volatile.Read(ref _slots[_counters.Head & _mask].Sequence) == _counters.Head + 1;

    /// <summary>True when a producer would get a credit.</summary>
    public bool HasCredit => Volatile.Read(ref _counters.Credits) > 0;

    /// <summary>Takes up to <paramref name="wanted"/> credits and returns how many.</summary>
    public int Reserve(int wanted)
    {
        long credits = Volatile.Read(ref _counters.Credits);
        while (credits > 0)
        {
            int taken = (int)Math.Min(credits, wanted);
            long seen = Interlocked.CompareExchange(ref _counters.Credits, credits - taken, credits);
            if (seen == credits)
                return taken;
            credits = seen;
        }

        return 0;
    }

    /// <summary>Gives credits back: the consumer those it consumed, a producer those it did not use. A full fence.</summary>
    public void Return(int credits) => Interlocked.Add(ref _counters.Credits, credits);

    /// <summary>Publishes immediates for which credits were taken.</summary>
    public void Publish(ReadOnlySpan<uint> immediates, int source, int route)
    {
        long ticket = Interlocked.Add(ref _counters.Tail, immediates.Length) - immediates.Length;
        foreach (uint immediate in immediates)
        {
            ref Slot slot = ref _slots[ticket & _mask];
            slot.Source = source;
            slot.Route = route;
            slot.Immediate = immediate;
            slot.Buffer = -1;
            Volatile.Write(ref slot.Sequence, ++ticket);
        }
    }

    /// <summary>Publishes a message for which a credit was taken.</summary>
    public void PublishMessage(int buffer, int length, int source, int route)
    {
        long ticket = Interlocked.Increment(ref _counters.Tail) - 1;
        ref Slot slot = ref _slots[ticket & _mask];
        slot.Source = source;
        slot.Route = route;
        slot.Buffer = buffer;
        slot.Length = length;
        Volatile.Write(ref slot.Sequence, ticket + 1);
    }

    /// <summary>Takes the next arrival. Consumer only; its credit goes back with <see cref="Return"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTake(out Slot arrival)
    {
        ref Slot slot = ref _slots[_counters.Head & _mask];
        if (Volatile.Read(ref slot.Sequence) != _counters.Head + 1)
        {
            arrival = default;
            return false;
        }

        arrival = slot;
        _counters.Head++;
        return true;
    }

    [StructLayout(LayoutKind.Sequential, Size = 32)]
    public struct Slot
    {
        public long Sequence;

        /// <summary>Identity of the sending NIC.</summary>
        public int Source;

        /// <summary>The receiver's route to the sender when it was published, −1 for none; to be checked against <see cref="Source"/>.</summary>
        public int Route;

        /// <summary>The message buffer, −1 for an immediate.</summary>
        public int Buffer;

        public int Length;
        public uint Immediate;
    }

    /// <summary>One cache line each for what senders take, what senders claim and what the consumer keeps.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 512)]
    private struct Counters
    {
        [FieldOffset(128)]
        public long Credits;

        [FieldOffset(256)]
        public long Tail;

        [FieldOffset(384)]
        public long Head;
    }
}
