using Garden.Generators.Integration.Weights.Model;
using Garden.Weights;

namespace Garden.Generators.Integration.Weights;

/// <summary>What the tables say, what is refused, what is allocated.</summary>
public sealed class WeightMapTests
{
    [Fact]
    public void Short_rows_are_packed_where_that_makes_them_longer()
    {
        WeightMeshes<RowLengths> meshes = WeightMeshes<RowLengths>.Create();
        Dictionary<string, WeightRun> first = [];
        foreach (WeightRun run in meshes.Receives(1))
            first.TryAdd(WeightTensors<RowLengths>.NameOf(run.Tensor), run);
        // 4 rows of 16 columns: 32 B apart at the source, one piece at the destination.
        Assert.Equal((WeightStage.Packed, 4 * 16 * 2L), (first["short_rows"].Stage, first["short_rows"].Length));
        // Two rows of 4096 columns: 8 KiB are long enough.
        Assert.Equal((WeightStage.Direct, 8192L), (first["long_rows"].Stage, first["long_rows"].Length));
        // Rows are short on both sides, so packing would not help.
        Assert.Equal((WeightStage.Direct, 12 * 2L), (first["short_both"].Stage, first["short_both"].Length));
        Assert.Equal((WeightStage.Direct, 4 * 32 * 2L), (first["same.0"].Stage, first["same.0"].Length));
        Assert.True(meshes.ReceivedBy(1).SmallWrites >= 8);
    }

    [Fact]
    public void Equal_copies_share_receivers_layers_and_rules()
    {
        WeightMeshes<RowLengths> meshes = WeightMeshes<RowLengths>.Create();
        // "same" is rule 3 with five tensors; two copies of each shard, the one of receiver 2 at trainer ranks 2 and 6.
        var senders = new List<int>();
        foreach (WeightRun run in meshes.Receives(2))
        {
            if (WeightTensors<RowLengths>.NameOf(run.Tensor).StartsWith("same", StringComparison.Ordinal))
                senders.Add(run.SourceRank);
        }

        Assert.Equal([2, 2, 6, 6, 6], senders.Order());
        // The first rule has one tensor: receivers alternate between the copies, ranks 0 to 3 and 4 to 7.
        for (int receiver = 0; receiver < 4; receiver++)
        {
            foreach (WeightRun run in meshes.Receives(receiver))
            {
                if (run.Tensor == 0)
                    Assert.Equal(receiver % 2, run.SourceRank / 4);
            }
        }
    }

    [Fact]
    public void Converted_tensors_arrive_from_staging_with_their_scales()
    {
        WeightMeshes<SmallConverted> meshes = WeightMeshes<SmallConverted>.Create(new(2, 1), new(1, 1));
        Assert.True(WeightTensors<SmallConverted>.TryFind("head", out int head));
        WeightHolding values = WeightTensors<SmallConverted>.AtInference(in meshes, 0, head)!.Value;
        WeightHolding scales = WeightTensors<SmallConverted>.AtInference(in meshes, 0, head, scales: true)!.Value;
        Assert.Equal((300 * 130L, 1L), (values.Bytes, values.ElementBytes));
        Assert.Equal((3 * 2 * 4L, 4L), (scales.Bytes, scales.ElementBytes));
        Assert.True(WeightTensors<SmallConverted>.TryFind("layers.2.norm", out int norm));
        Assert.Null(WeightTensors<SmallConverted>.AtInference(in meshes, 0, norm, scales: true));
        foreach (WeightRun run in meshes.Receives(0))
            Assert.Equal(WeightPart.Of<SmallConverted>()[run.Part].IsConverted ? WeightStage.Converted : WeightStage.Direct, run.Stage);
    }

    [Theory]
    [InlineData("head", true)]
    [InlineData("layers.1.experts.0.gate", true)]
    [InlineData("layers.2.experts.3.down", true)]
    [InlineData("layers.0.norm", false)]
    [InlineData("layers.3.norm", false)]
    [InlineData("layers.01.norm", false)]
    [InlineData("layers.1.experts.4.gate", false)]
    [InlineData("layers..norm", false)]
    [InlineData("layers.1.normal", false)]
    [InlineData("layers.99999999999.norm", false)]
    [InlineData("", false)]
    public void Names_are_found(string name, bool found)
    {
        Assert.Equal(found, WeightTensors<SmallConverted>.TryFind(name, out int tensor));
        if (found)
            Assert.Equal(name, WeightTensors<SmallConverted>.NameOf(tensor));
    }

    [Fact]
    public void Maps_that_differ_have_different_hashes()
    {
        ulong[] hashes = [SmallMoe.MapHash, SmallConverted.MapHash, RowLengths.MapHash];
        Assert.Equal(hashes.Length, hashes.Distinct().Count());
    }

    [Fact]
    public void Meshes_that_do_not_suit_are_refused()
    {
        AssertRefused(() => WeightMeshes<SmallMoe>.Create(), "left to run time");
        AssertRefused(() => WeightMeshes<SmallMoe>.Create(new(8), new(2, 2)), "trainer mesh 8 has 1 axes, the map declares 2");
        AssertRefused(() => WeightMeshes<RowLengths>.Create(new(2, 8), new(4)), "is 8, the map declares 4");
        AssertRefused(() => WeightMeshes<SmallMoe>.Create(new(1, 1), new(1, 3)), "3 ranks of axis 1 of the inference mesh cannot hold 2 shards");
        AssertRefused(() => WeightMeshes<SmallConverted>.Create(new(1, 1), new(1, 3)), "256 elements along dimension 0 do not divide over 3 ranks");
        AssertRefused(() => WeightMeshes<SmallConverted>.Create(new(1, 1), new(1, 4)), "would hold 64 elements along dimension 0, which cuts a 128 × 128 block");
        WeightMeshes<RowLengths> meshes = WeightMeshes<RowLengths>.Create();
        Assert.Throws<ArgumentOutOfRangeException>(() => meshes.Sends(8));
        Assert.Throws<ArgumentOutOfRangeException>(() => meshes.Receives(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => meshes.Route(0, 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => WeightTensors<RowLengths>.NameOf(8));
        Assert.Throws<ArgumentOutOfRangeException>(() => default(WeightMeshes<RowLengths>).Sends(0));
    }

    [Fact]
    public void Walking_and_expanding_allocate_nothing()
    {
        WeightMeshes<SmallMoe> meshes = WeightMeshes<SmallMoe>.Create(new(3, 2), new(2, 2));
        using WeightRoute route = meshes.Route(0, 0);
        var plan = new WeightWrites { Immediate = Immediate.ForCounter(1, 1), Route = route.Handle, Count = route.Handle.Count };
        var span = new WriteDescriptor[16];
        long least = long.MaxValue, sum = 0;
        // Several rounds, because the first ones also pay for tiering.
        for (int round = 0; round < 5; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            foreach (WeightRun run in meshes.Sends(1))
                sum += run.Length;
            foreach (WeightRun run in meshes.Receives(1))
                sum += run.Length;
            sum += meshes.SentBy(0).Bytes + meshes.ExpectedUnits(0) + WeightWrites.CountUnits(in plan);
            WeightWrites.Acquire(in plan);
            PlanCursor cursor = default;
            while (!cursor.IsCompleted)
                sum += WeightWrites.Expand(in plan, ref cursor, span);
            WeightWrites.Release(in plan);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.True(sum > 0);
        Assert.Equal(0, least);
    }

    private static void AssertRefused(Action create, string message) =>
        Assert.Contains(message, Assert.Throws<PlanException>(create).Message, StringComparison.Ordinal);
}
