namespace Garden.KvCache;

/// <summary>
/// Which request numbers of a session have been seen: all below a mark, and some above it. Numbers are given out without gaps, but
/// one whose message was never sent stays out: when <paramref name="mostAhead"/> is reached the mark passes it.
/// </summary>
internal sealed class KvSequenceWindow(int mostAhead)
{
    private readonly HashSet<ulong> _ahead = [];
    private ulong _next = 1;

    /// <summary>False when the number was seen already, or is so far behind that it may have been.</summary>
    /// <exception cref="DescriptorException">The number is 0.</exception>
    public bool TryAdd(ulong sequence)
    {
        if (sequence == 0)
            throw new DescriptorException("Request number 0 is not one; numbers begin at 1.");
        if (sequence < _next || !_ahead.Add(sequence))
            return false;
        if (sequence - _next >= (ulong)mostAhead)
        {
            _next = sequence - (ulong)mostAhead + 1;
            _ahead.RemoveWhere(seen => seen < _next);
        }

        while (_ahead.Remove(_next))
            _next++;
        return true;
    }
}
