using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Garden;

/// <summary>All counters of an engine: engine-allocated slots and user-chosen numbers, in unmanaged memory.</summary>
/// <remarks>
/// Protocol. A worker adds to Count (interlocked: several workers may count for one counter), then reads Target; a waiter
/// stores Target (with a full fence), then reads Count. So at least one of the two sees the target reached, and both may: the owner
/// settles it once. A slot's generation is compared before the add; a freed slot has generation 0. Slots are freed to the
/// back of a queue, those whose drain is not confirmed are not freed at all. A number's row is claimed by compare-exchange
/// on Number (linear probing over a table twice the configured size) and is never given up, so early immediates are never lost.
/// </remarks>
internal sealed unsafe class CounterTable
{
    private readonly Lock _lock = new();
    private readonly Queue<int> _freeSlots = new();
    private readonly int _slotCapacity;
    private readonly int _numberCapacity;
    private readonly int _numberMask;
    private readonly CounterEntry* _slots;
    private readonly CounterEntry* _numbers;
    private readonly ImmCounter?[] _slotOwners;
    private readonly ImmCounter?[] _numberOwners;
    private readonly int[] _nextGenerations;
    private int _slotsUsed;
    private int _numbersUsed;
    private int _quarantined;
    private long _stale;

    public CounterTable(int slots, int numbers)
    {
        _slotCapacity = slots;
        _numberCapacity = numbers;
        int rows = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)numbers * 2);
        _numberMask = rows - 1;
        _slots = (CounterEntry*)NativeMemory.AllocZeroed((nuint)slots, CounterEntry.SizeInBytes);
        _numbers = (CounterEntry*)NativeMemory.AllocZeroed((nuint)rows, CounterEntry.SizeInBytes);
        _slotOwners = new ImmCounter?[slots];
        _numberOwners = new ImmCounter?[rows];
        _nextGenerations = new int[slots];
    }

    /// <summary>Immediates of a generation that is gone: counted and dropped.</summary>
    public long Stale => Volatile.Read(ref _stale);

    /// <summary>Slots that were given up before their drain was confirmed; they are not reused.</summary>
    public int Quarantined => Volatile.Read(ref _quarantined);

    /// <summary>Counts what arrived for an engine-allocated counter: the units of one or more immediates of one slot and generation.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Count(Immediate immediate, long units, int arrivals)
    {
        int slot = immediate.Slot;
        // Safe: the slot is compared with the capacity before the row is touched; the sender chose it.
        if (slot >= _slotCapacity || Volatile.Read(ref _slots[slot].Generation) - 1 != immediate.Generation)
            Interlocked.Add(ref _stale, arrivals);
        else
            Add(_slots + slot, units, _slotOwners, slot);
    }

    public ImmCounter AllocateSlot(TransferEngine engine)
    {
        lock (_lock)
        {
            if (!_freeSlots.TryDequeue(out int slot))
            {
                if (_slotsUsed == _slotCapacity)
                    throw new InvalidOperationException($"All {_slotCapacity} counters are in use or in quarantine ({Quarantined}); dispose counters, or raise TransferEngineOptions.MaxCounters (at most 32768).");
                slot = _slotsUsed++;
            }

            // 6 bits on the wire; 0 marks a free row, so the row holds generation + 1.
            int generation = _nextGenerations[slot];
            _nextGenerations[slot] = (generation + 1) & ((1 << Immediate.GenerationBits) - 1);
            CounterEntry* entry = _slots + slot;
            entry->Count = 0;
            entry->Target = long.MaxValue;
            var counter = new ImmCounter(engine, this, entry, Immediate.ForCounter(slot, generation));
            Volatile.Write(ref _slotOwners[slot], counter);
            Volatile.Write(ref entry->Generation, generation + 1);
            return counter;
        }
    }

    /// <summary>Ends a slot. Without proof that nothing more arrives for it, it stays in quarantine for good.</summary>
    public void FreeSlot(Immediate immediate, bool drained)
    {
        lock (_lock)
        {
            Volatile.Write(ref _slots[immediate.Slot].Generation, 0);
            _slotOwners[immediate.Slot] = null;
            if (drained)
                _freeSlots.Enqueue(immediate.Slot);
            else
                _quarantined++;
        }
    }

    /// <summary>The counter of a user's number; early immediates are in it already.</summary>
    public ImmCounter GetNumber(TransferEngine engine, uint number)
    {
        int row = FindNumber(number);
        if (row < 0)
            throw new InvalidOperationException($"All {_numberCapacity} immediate numbers are in use; use fewer numbers, use engine-allocated counters, or raise TransferEngineOptions.MaxNumbers.");
        lock (_lock)
            return _numberOwners[row] ??= new ImmCounter(engine, this, Initialised(_numbers + row), Immediate.FromNumber(number));
    }

    /// <summary>The counter somebody has asked for by this number, or null.</summary>
    public ImmCounter? FindNumberOwner(uint number)
    {
        uint claim = number | Immediate.CounterBit;
        int row = FirstRow(number);
        for (int probe = 0; probe <= _numberMask; probe++, row = (row + 1) & _numberMask)
        {
            uint found = Volatile.Read(ref _numbers[row].Number);
            if (found == claim)
                return Volatile.Read(ref _numberOwners[row]);
            if (found == 0)
                return null;
        }

        return null;
    }

    /// <summary>The owner of an engine-allocated slot, when the generation is the current one.</summary>
    public ImmCounter? Find(Immediate immediate) =>
        immediate.IsCounter
            && immediate.Slot < _slotCapacity
            && Volatile.Read(ref _slots[immediate.Slot].Generation) - 1 == immediate.Generation
            ? Volatile.Read(ref _slotOwners[immediate.Slot])
            : null;

    /// <summary>All counters somebody owns, for poisoning those a failed peer contributes to.</summary>
    public IReadOnlyList<ImmCounter> Owners()
    {
        var owners = new List<ImmCounter>();
        lock (_lock)
        {
            for (int i = 0; i < _slotsUsed; i++)
            {
                if (_slotOwners[i] is { } owner)
                    owners.Add(owner);
            }

            foreach (ImmCounter? owner in _numberOwners)
            {
                if (owner is not null)
                    owners.Add(owner);
            }
        }

        return owners;
    }

    /// <summary>Freed by the finalizer: counters that outlive their engine still point here.</summary>
    ~CounterTable()
    {
        NativeMemory.Free(_slots);
        NativeMemory.Free(_numbers);
    }

    private static CounterEntry* Initialised(CounterEntry* entry)
    {
        // Rows start zeroed: a target of 0 means that nobody has waited yet.
        Interlocked.CompareExchange(ref entry->Target, long.MaxValue, 0);
        return entry;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(CounterEntry* entry, long units, ImmCounter?[] owners, int row)
    {
        long count = Interlocked.Add(ref entry->Count, units);
        long target = Volatile.Read(ref entry->Target);
        if (count >= target && target != 0)
            Volatile.Read(ref owners[row])?.OnReached();
    }

    /// <summary>Counts an immediate that is a user's number; false when there is no free row for it.</summary>
    public bool CountNumber(uint number, int arrivals)
    {
        if (number == 0)
            return true;
        int row = FindNumber(number);
        if (row < 0)
            return false;
        Add(_numbers + row, arrivals, _numberOwners, row);
        return true;
    }

    private int FirstRow(uint number) => (int)((number * 2654435769u) >> 7) & _numberMask;

    private int FindNumber(uint number)
    {
        uint claim = number | Immediate.CounterBit;
        int row = FirstRow(number);
        for (int probe = 0; probe <= _numberMask; probe++, row = (row + 1) & _numberMask)
        {
            CounterEntry* entry = _numbers + row;
            uint found = Volatile.Read(ref entry->Number);
            if (found == 0)
            {
                if (Interlocked.Increment(ref _numbersUsed) > _numberCapacity)
                {
                    Interlocked.Decrement(ref _numbersUsed);
                    return -1;
                }

                found = Interlocked.CompareExchange(ref entry->Number, claim, 0);
                if (found == 0)
                    return row;
                Interlocked.Decrement(ref _numbersUsed);
            }

            if (found == claim)
                return row;
        }

        return -1;
    }
}
