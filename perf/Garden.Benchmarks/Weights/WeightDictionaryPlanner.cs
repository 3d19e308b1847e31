namespace Garden.Benchmarks.Weights;

/// <summary>
/// The same writes as weight-transfer code in scripting languages plans them: tensors by name, placements and coordinates in
/// dictionaries by the axis' name, the writes collected in a list.
/// </summary>
public sealed class WeightDictionaryPlanner(
    Dictionary<string, Dictionary<string, long>> tensors,
    Dictionary<string, long> sourceStrides,
    Dictionary<string, long> destinationStrides,
    long runBytes,
    Immediate immediate)
{
    private readonly uint _units = (uint)TransferUnits.OfRun(runBytes);

    public List<WriteDescriptor> Expand()
    {
        var writes = new List<WriteDescriptor>();
        foreach ((string _, Dictionary<string, long> tensor) in tensors)
        {
            for (long row = 0; row < tensor["rows"]; row++)
            {
                var coordinate = new Dictionary<string, long>
                {
                    ["layer"] = tensor["layer"],
                    ["expert"] = tensor["expert"],
                    ["row"] = row,
                };
                writes.Add(WriteDescriptor.Create(
                    default, Offset(coordinate, sourceStrides), default, Offset(coordinate, destinationStrides), runBytes, immediate, _units));
            }
        }

        return writes;
    }

    /// <summary>A whole expansion, as the benchmarks time it.</summary>
    public long ExpandAll()
    {
        List<WriteDescriptor> writes = Expand();
        return writes.Count + writes[^1].DestinationOffset;
    }

    private static long Offset(Dictionary<string, long> coordinate, Dictionary<string, long> strides)
    {
        long offset = strides["first"];
        foreach ((string axis, long index) in coordinate)
            offset += index * strides[axis];
        return offset;
    }
}
