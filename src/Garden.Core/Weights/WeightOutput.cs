namespace Garden.Weights;

/// <summary>Walks the outputs of a map on an inference rank: a single row, or the members of a fusion one behind the other.</summary>
internal struct WeightOutput
{
    private int _next;
    private int _end;
    private long _bytes;
    private long _member;
    private long _nextMember;
    private long _stride;

    /// <summary>Byte offset of the current output; of the end when the last row is behind.</summary>
    public long Base { get; private set; }

    /// <summary>Goes on to a row, or behind the last one.</summary>
    public void MoveTo(int index, ReadOnlySpan<WeightPart> parts, in WeightMesh mesh, int rank)
    {
        while (_next <= index)
        {
            if (_next == _end)
            {
                Base = checked(Base + _bytes);
                _bytes = 0;
                if (_next == parts.Length)
                    return;
                Open(parts, in mesh, rank);
            }

            _member = _nextMember;
            _nextMember += MemberBytes(in parts[_next], in mesh, rank);
            _next++;
        }
    }

    /// <summary>The current row on the rank.</summary>
    public readonly WeightSide Side(in WeightPart part, in WeightMesh mesh, int rank) =>
        new(rank, WeightSides.AtInference(in part, in mesh, rank), Base + _member, _stride, part.InferenceBytes);

    private void Open(ReadOnlySpan<WeightPart> parts, in WeightMesh mesh, int rank)
    {
        ref readonly WeightPart first = ref parts[_next];
        _end = _next + first.OutputParts;
        long tensor = 0;
        foreach (ref readonly WeightPart member in parts[_next.._end])
            tensor = checked(tensor + MemberBytes(in member, in mesh, rank));
        _stride = WeightSide.Align(tensor);
        _bytes = checked(first.Outers * WeightSides.AtInference(in first, in mesh, rank).Experts.Local * _stride);
        _nextMember = 0;
    }

    private static long MemberBytes(in WeightPart part, in WeightMesh mesh, int rank) =>
        checked(WeightSides.AtInference(in part, in mesh, rank).Cells * part.InferenceBytes);
}
