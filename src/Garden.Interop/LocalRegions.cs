using System.Runtime.InteropServices;

namespace Garden.Interop;

/// <summary>The memory registered with one NIC. A key is a row's index under a generation, so a stale one is noticed. Under the domain's lock.</summary>
internal sealed unsafe class LocalRegions
{
    private const int IndexBits = 20;
    private const ulong IndexMask = (1UL << IndexBits) - 1;
    private readonly Queue<int> _free = new();
    private Row[] _rows = new Row[16];
    private int _used = 1;

    /// <summary>How many regions are registered.</summary>
    public int Count => _used - 1 - _free.Count;

    /// <summary>Enters a registration and what writes from it carry, and returns its key.</summary>
    public ulong Add(void* registration, void* descriptor, nint address, long length)
    {
        if (!_free.TryDequeue(out int index))
        {
            if (_used > (int)IndexMask)
                throw new FabricException($"All {IndexMask} regions of the NIC are in use; unregister some.");
            index = _used++;
            if (index == _rows.Length)
                Array.Resize(ref _rows, 2 * index);
        }

        ref Row row = ref _rows[index];
        row.Key = ((((row.Key | row.LastKey) >> IndexBits) + 1) << IndexBits) | (uint)index;
        row.LastKey = row.Key;
        row.Registration = registration;
        row.Descriptor = descriptor;
        row.Address = (ulong)address;
        row.Length = (ulong)length;
        return row.Key;
    }

    public bool Contains(ulong key)
    {
        int index = (int)(key & IndexMask);
        return key != 0 && index < _used && _rows[index].Key == key;
    }

    /// <summary>Takes a region out; null when the key names none.</summary>
    public void* Remove(ulong key)
    {
        int index = (int)(key & IndexMask);
        if (!Contains(key))
            return null;
        void* registration = _rows[index].Registration;
        _rows[index] = new Row { LastKey = key };
        _free.Enqueue(index);
        return registration;
    }

    /// <summary>Takes any region out; null when there is none left.</summary>
    public void* RemoveAny()
    {
        for (int i = 1; i < _used; i++)
        {
            if (_rows[i].Key != 0)
                return Remove(_rows[i].Key);
        }

        return null;
    }

    /// <summary>True when the range lies inside the region, whose descriptor it gives.</summary>
    public bool TryFind(ulong key, ulong address, ulong length, out void* descriptor) =>
        TryFind(key, out ulong start, out ulong size, out descriptor) && address - start <= size && length <= size - (address - start);

    /// <summary>Where a region lies, and the descriptor of what is written from it.</summary>
    public bool TryFind(ulong key, out ulong address, out ulong length, out void* descriptor)
    {
        address = length = 0;
        descriptor = null;
        if (!Contains(key))
            return false;
        ref Row row = ref _rows[(int)(key & IndexMask)];
        address = row.Address;
        length = row.Length;
        descriptor = row.Descriptor;
        return true;
    }

    [StructLayout(LayoutKind.Auto)]
    private struct Row
    {
        public ulong Key;
        public ulong LastKey;
        public ulong Address;
        public ulong Length;
        public void* Descriptor;
        public void* Registration;
    }
}
