using System.Runtime.CompilerServices;
using Garden.Weights;

namespace Garden.Generators.Integration.Weights;

/// <summary>The plan of a route: what it refuses, part by part, and how it counts.</summary>
public sealed class WeightWritesTests
{
    [Fact]
    public void Sizes_fit_the_slots_of_the_engine_and_the_tables()
    {
        Assert.Equal(176, Unsafe.SizeOf<WeightPiece>());
        Assert.Equal(8 * WeightPart.Words, Unsafe.SizeOf<WeightPart>());
        Assert.True(Unsafe.SizeOf<WeightWrites>() <= 80);
        Assert.Equal(20, Unsafe.SizeOf<WeightMesh>());
    }

    [Fact]
    public void Validation_sees_every_byte_of_every_region()
    {
        WeightMeshes<RowLengths> meshes = WeightMeshes<RowLengths>.Create();
        using WeightRoute route = meshes.Route(7, 1);
        Assert.True(route.StagingBytes > 0);
        var regions = new RegionTable(32);
        WeightWrites plan = Plan(regions, route, meshes.TrainerBytes, route.StagingBytes, meshes.InferenceBytes);
        Validate(regions, plan);
        AssertRefused(regions, Plan(regions, route, 4096, route.StagingBytes, meshes.InferenceBytes), "source range");
        AssertRefused(regions, Plan(regions, route, meshes.TrainerBytes, 64, meshes.InferenceBytes), "source range");
        AssertRefused(regions, Plan(regions, route, meshes.TrainerBytes, route.StagingBytes, 4096), "destination range");
        AssertRefused(regions, plan with { First = 1 }, "lie outside the route");
        AssertRefused(regions, plan with { Count = -1 }, "lie outside the route");
        AssertRefused(regions, plan with { Staging = default }, "names no live source region");
        route.Dispose();
        Assert.Throws<ObjectDisposedException>(() => route.Handle);
        Assert.Throws<ObjectDisposedException>(() => Validate(regions, plan));
    }

    [Fact]
    public void Parts_of_a_route_make_the_whole()
    {
        WeightMeshes<SmallMoe> meshes = WeightMeshes<SmallMoe>.Create(new(3, 2), new(2, 2));
        using WeightRoute route = meshes.Route(2, 1);
        WeightWrites whole = new() { Immediate = Immediate.ForCounter(1, 1), Route = route.Handle, Count = route.Handle.Count };
        List<WriteDescriptor> parts = [];
        long units = 0;
        for (int piece = 0; piece < route.Handle.Count; piece++)
        {
            WeightWrites part = whole with { First = piece, Count = 1 };
            parts.AddRange(Expand(part));
            units += WeightWrites.CountUnits(in part);
        }

        Assert.Equal(Expand(whole), parts);
        Assert.Equal(WeightWrites.CountUnits(in whole), units);
    }

    [Fact]
    public void A_users_number_is_counted_once_a_run()
    {
        WeightMeshes<LongTensors> meshes = WeightMeshes<LongTensors>.Create();
        using WeightRoute route = meshes.Route(0, 0);
        WeightWrites counted = new() { Immediate = Immediate.ForCounter(1, 1), Route = route.Handle, Count = route.Handle.Count };
        // 3 × 96 MiB: 1536 units each, which the engine splits.
        Assert.Equal([1536u, 1536u, 1536u], Expand(counted).Select(write => write.Units));
        Assert.Equal(3 * 1536, WeightWrites.CountUnits(in counted));
        WeightWrites numbered = counted with { Immediate = Immediate.FromNumber(7) };
        Assert.Equal([1u, 1u, 1u], Expand(numbered).Select(write => write.Units));
        Assert.Equal(3, WeightWrites.CountUnits(in numbered));
    }

    [Fact]
    public void A_route_without_anything_to_send_completes_at_once()
    {
        WeightMeshes<SmallConverted> meshes = WeightMeshes<SmallConverted>.Create(new(40, 1), new(3, 2));
        for (int rank = 0; rank < 40; rank++)
        {
            using WeightRoute route = meshes.Route(rank, 5);
            WeightWrites plan = new() { Immediate = Immediate.ForCounter(1, 1), Route = route.Handle, Count = route.Handle.Count };
            Assert.Equal(route.Totals.Writes, Expand(plan).Count);
        }
    }

    private static List<WriteDescriptor> Expand(WeightWrites plan)
    {
        var writes = new List<WriteDescriptor>();
        var span = new WriteDescriptor[5];
        PlanCursor cursor = default;
        while (!cursor.IsCompleted)
            writes.AddRange(span.AsSpan(0, WeightWrites.Expand(in plan, ref cursor, span)));
        return writes;
    }

    private static WeightWrites Plan(RegionTable regions, WeightRoute route, long source, long staging, long destination) => new()
    {
        Source = regions.Add(RegionState.Local, -1, 0, source, default, default),
        Staging = regions.Add(RegionState.Local, -1, 0, staging, default, default),
        Destination = regions.Add(RegionState.Remote, 1, 0, destination, default, default),
        Route = route.Handle,
        Count = route.Handle.Count,
    };

    private static void Validate(RegionTable regions, WeightWrites plan)
    {
        var validator = new PlanValidator(regions);
        WeightWrites.Validate(in plan, ref validator);
    }

    private static void AssertRefused(RegionTable regions, WeightWrites plan, string message) =>
        Assert.Contains(message, Assert.Throws<PlanException>(() => Validate(regions, plan)).Message, StringComparison.Ordinal);
}

/// <summary>Tensors of 96 MiB.</summary>
[WeightShardMap(TrainerMesh = "tp=1", InferenceMesh = "tp=1")]
[WeightTensor("w.{i:0..3}", 12288, 4096)]
public partial struct LongTensors;
