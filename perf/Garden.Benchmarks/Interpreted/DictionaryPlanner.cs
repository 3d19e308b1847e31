namespace Garden.Benchmarks.Interpreted;

/// <summary>
/// The same expansion driven by dictionaries, as connectors written in scripting languages do it: coordinates and strides are
/// looked up by the axis' name and the writes are collected in a list.
/// </summary>
public sealed class DictionaryPlanner(
    StridedLayout from, StridedLayout to, RunAxis[] loops, long runBytes, int[] sourcePages, int[] destinationPages, Immediate immediate)
{
    private readonly uint _units = (uint)TransferUnits.OfRun(runBytes);

    public List<WriteDescriptor> Expand()
    {
        var writes = new List<WriteDescriptor>();
        var coordinate = StridedLayout.AxisNames.ToDictionary(static axis => axis, static _ => 0);
        Visit(0, coordinate, writes);
        return writes;
    }

    /// <summary>Byte offset of a coordinate by name.</summary>
    public static long Offset(StridedLayout layout, Dictionary<string, int> coordinate, int[] pages)
    {
        long offset = pages[coordinate["token"] / layout.TokensPerPage] * layout.Strides["page"];
        foreach ((string axis, int index) in coordinate)
            offset += (axis == "token" ? index % layout.TokensPerPage : index) * layout.Strides[axis];
        return offset;
    }

    private void Visit(int depth, Dictionary<string, int> coordinate, List<WriteDescriptor> writes)
    {
        if (depth == loops.Length)
        {
            Add(Offset(from, coordinate, sourcePages), Offset(to, coordinate, destinationPages), writes);
            return;
        }

        RunAxis loop = loops[depth];
        for (int index = 0; index < loop.End; index += loop.Step)
        {
            coordinate[StridedLayout.AxisNames[loop.Axis]] = index;
            Visit(depth + 1, coordinate, writes);
        }
    }

    private void Add(long source, long destination, List<WriteDescriptor> writes)
    {
        if (writes.Count > 0 && writes[^1] is var last && source == last.SourceOffset + last.Length
            && destination == last.DestinationOffset + last.Length && last.Units + _units <= TransferUnits.MaxPerWrite)
        {
            last.Length += runBytes;
            last.Units += _units;
            writes[^1] = last;
            return;
        }

        writes.Add(WriteDescriptor.Create(default, source, default, destination, runBytes, immediate, _units));
    }

    /// <summary>A whole expansion, as the benchmarks time it.</summary>
    public long ExpandAll()
    {
        List<WriteDescriptor> writes = Expand();
        return writes.Count + writes[^1].DestinationOffset;
    }
}
