using System.Runtime.InteropServices;
using Garden.Weights;

namespace Garden.Generators.Integration.Weights.Model;

/// <summary>Expands the plan of a route through spans of many lengths, which must not change what comes out.</summary>
internal static class PlanExpander
{
    public static readonly RegionHandle Tensors = new(1, 1);
    public static readonly RegionHandle Staging = new(2, 1);
    public static readonly RegionHandle Destination = new(3, 1);

    public static List<WriteDescriptor> Expand(WeightRoute route)
    {
        var plan = new WeightWrites
        {
            Source = Tensors,
            Staging = Staging,
            Destination = Destination,
            Immediate = Immediate.ForCounter(1, 1),
            Route = route.Handle,
            Count = route.Handle.Count,
        };
        List<WriteDescriptor> whole = Expand(in plan, 1 << 12);
        Assert.True(Bytes(whole).SequenceEqual(Bytes(Expand(in plan, 1))));
        Assert.True(Bytes(whole).SequenceEqual(Bytes(Expand(in plan, 7))));
        Assert.Equal(whole.Sum(write => write.Units), WeightWrites.CountUnits(in plan));
        Assert.Equal(whole.Sum(write => write.Units), route.Totals.Units);
        return whole;

        static ReadOnlySpan<byte> Bytes(List<WriteDescriptor> writes) => MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(writes));
    }

    public static List<WriteDescriptor> Expand(in WeightWrites plan, int spanLength)
    {
        var writes = new List<WriteDescriptor>();
        var span = new WriteDescriptor[spanLength];
        PlanCursor cursor = default;
        while (!cursor.IsCompleted)
            writes.AddRange(span.AsSpan(0, WeightWrites.Expand(in plan, ref cursor, span)));
        return writes;
    }
}
