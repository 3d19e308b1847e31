namespace Garden.Fabric.Loopback;

/// <summary>The message buffers of one NIC: a stack of free ones that senders pop and the receiver pushes.</summary>
/// <remarks>
/// Protocol. The top is (version, index + 1) in 64 bits and every exchange counts the version up, so a buffer that was popped and
/// pushed in between is noticed (no ABA). Last in, first out keeps the touched memory small. Bytes are written by the sender that
/// popped the buffer, inside its delivery section, and read by the receiver after the arrival was published.
/// </remarks>
internal sealed unsafe class MessageBuffers : IDisposable
{
    private readonly int[] _next;
    private readonly bool[] _lent;
    private readonly long _stride;
    private readonly NativeBuffer _bytes;
    private long _top;

    public MessageBuffers(int count, int length)
    {
        _stride = (length + 63L) & ~63L;
        _next = new int[count];
        _lent = new bool[count];
        _bytes = new NativeBuffer(count * _stride);
        for (int i = count - 1; i >= 0; i--)
            Push(i);
    }

    public bool HasFree => (int)Volatile.Read(ref _top) != 0;

    /// <summary>First byte of a buffer, which is as long as the longest message.</summary>
    public byte* this[int index] => _bytes.Pointer + (index * _stride);

    public bool TryPop(out int index)
    {
        long top = Volatile.Read(ref _top);
        while ((int)top != 0)
        {
            index = (int)top - 1;
            long seen = Interlocked.CompareExchange(ref _top, Replace(top, Volatile.Read(ref _next[index])), top);
            if (seen == top)
                return true;
            top = seen;
        }

        index = -1;
        return false;
    }

    public void Push(int index)
    {
        long top = Volatile.Read(ref _top);
        while (true)
        {
            Volatile.Write(ref _next[index], (int)top);
            long seen = Interlocked.CompareExchange(ref _top, Replace(top, index + 1), top);
            if (seen == top)
                return;
            top = seen;
        }
    }

    /// <summary>Marks a buffer as lent to the receiver's user. Receiver only.</summary>
    public void Lend(int index) => _lent[index] = true;

    /// <summary>Takes a lent buffer back. Receiver only.</summary>
    /// <exception cref="InvalidOperationException">It was not lent, or given back already.</exception>
    public void GiveBack(long token)
    {
        if ((ulong)token >= (ulong)_lent.Length || !_lent[token])
            throw new InvalidOperationException($"Message buffer {token} is not lent out; give each message back once, to the domain that reported it.");
        _lent[token] = false;
        Push((int)token);
    }

    public void Dispose() => _bytes.Dispose();

    private static long Replace(long top, int indexPlusOne) => (((top >> 32) + 1) << 32) | (uint)indexPlusOne;
}
