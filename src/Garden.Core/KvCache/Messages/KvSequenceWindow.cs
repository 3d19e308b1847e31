namespace Garden.KvCache;

/// <summary>Which request numbers of a session have been seen: all below a mark, and some above it. Numbers are given out without gaps, so the set stays small.</summary>
internal sealed class KvSequenceWindow(int mostAhead)
{
    private readonly HashSet<ulong> _ahead = [];
    private ulong _next = 1;

    /// <summary>False when the number was seen already.</summary>
    /// <exception cref="DescriptorException">The number is 0 or too far ahead to be honest.</exception>
    public bool TryAdd(ulong sequence)
    {
        if (sequence == 0 || (sequence >= _next && sequence - _next >= (ulong)mostAhead))
            throw new DescriptorException($"Request number {sequence} is not between 1 and {_next + (ulong)mostAhead - 1}.");
        if (sequence < _next || !_ahead.Add(sequence))
            return false;
        while (_ahead.Remove(_next))
            _next++;
        return true;
    }
}
