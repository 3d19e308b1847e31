using System.Runtime.InteropServices;

namespace Garden;

/// <summary>A worker's table of running transfers.</summary>
/// <remarks>
/// The context of a write holds where its completion belongs: record index (20 bits), the record's generation (20 bits), peer
/// (20 bits) and lane (4 bits).
/// </remarks>
internal sealed unsafe class TransferRecords : IDisposable
{
    private const int IndexBits = 20;
    private const uint Mask = (1u << IndexBits) - 1;
    private readonly TransferRecord* _records;
    private readonly int _capacity;
    private int _free = -1;

    public TransferRecords(int capacity)
    {
        _capacity = Math.Min(capacity, 1 << IndexBits);
        // Zeroed by the operating system on first touch: records that were never used cost no memory.
        _records = (TransferRecord*)NativeMemory.AllocZeroed((nuint)_capacity, (nuint)sizeof(TransferRecord));
    }

    /// <summary>Records that were ever used; the running ones are among them.</summary>
    public int Used { get; private set; }

    /// <summary>Records in use.</summary>
    public int Active { get; private set; }

    // Safe: indices come from Rent or from contexts that Find has checked.
    public TransferRecord* this[int index] => _records + index;

    public static ulong Context(int index, uint generation, int peer, int lane) =>
        (uint)index | ((ulong)(generation & Mask) << 20) | ((ulong)(uint)peer << 40) | ((ulong)(uint)lane << 60);

    public static int PeerOf(ulong context) => (int)((context >> 40) & Mask);

    public static int LaneOf(ulong context) => (int)(context >> 60);

    public bool TryRent(out int index)
    {
        index = _free;
        if (index >= 0)
            _free = _records[index].Next;
        else if (Used < _capacity)
            index = Used++;
        else
            return false;
        Active++;
        return true;
    }

    /// <summary>The record a completion belongs to; −1 for a context no running transfer has.</summary>
    public int Find(ulong context)
    {
        int index = (int)(context & Mask);
        return index < Used
            && (_records[index].Flags & TransferFlags.InUse) != 0
            && (_records[index].Generation & Mask) == ((context >> 20) & Mask)
            ? index
            : -1;
    }

    public void Return(int index)
    {
        TransferRecord* record = _records + index;
        record->Flags = TransferFlags.None;
        record->Generation++;
        record->Next = _free;
        _free = index;
        Active--;
    }

    public void Dispose() => NativeMemory.Free(_records);
}
