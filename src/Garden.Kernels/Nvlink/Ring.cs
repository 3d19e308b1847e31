using System.Numerics;

namespace Garden.Kernels.Nvlink;

/// <summary>A queue whose ends can be changed in place, so that a run of the same is one entry. One thread's. It grows when it is full and then no more.</summary>
internal sealed class Ring<T>(int capacity)
    where T : struct
{
    private T[] _items = new T[BitOperations.RoundUpToPowerOf2((uint)capacity)];
    private int _head;

    public int Count { get; private set; }

    /// <summary>The oldest entry; there must be one.</summary>
    public ref T First => ref _items[_head];

    /// <summary>The newest entry; there must be one.</summary>
    public ref T Last => ref _items[(_head + Count - 1) & (_items.Length - 1)];

    /// <summary>An entry, counted from the oldest; there must be one.</summary>
    public ref T this[int index] => ref _items[(_head + index) & (_items.Length - 1)];

    /// <summary>The oldest entries that lie in a row.</summary>
    private ReadOnlySpan<T> Front => _items.AsSpan(_head, Math.Min(Count, _items.Length - _head));

    public void Add(in T item)
    {
        if (Count == _items.Length)
            Grow();
        Count++;
        Last = item;
    }

    public void RemoveFirst()
    {
        _head = (_head + 1) & (_items.Length - 1);
        Count--;
    }

    private void Grow()
    {
        var items = new T[2 * _items.Length];
        Front.CopyTo(items);
        _items.AsSpan(0, Count - Front.Length).CopyTo(items.AsSpan(Front.Length));
        _items = items;
        _head = 0;
    }
}
