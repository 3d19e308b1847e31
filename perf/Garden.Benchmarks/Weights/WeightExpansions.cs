namespace Garden.Benchmarks.Weights;

/// <summary>8 layers of 128 rows of 7 KiB, in place on both sides.</summary>
public class RowParallelExpansion : WeightExpansion<RowParallel, RowParallelLoop>
{
    protected override int SourceRank => 5;

    protected override int DestinationRank => 2;

    protected override WeightDictionaryPlanner CreateDictionaryPlanner(Immediate immediate) => new(
        Enumerable.Range(0, 8).ToDictionary(
            static layer => $"layers.{layer}.mlp.down_proj.weight",
            static layer => new Dictionary<string, long> { ["layer"] = layer, ["expert"] = 0, ["rows"] = 128 }),
        new() { ["first"] = 0, ["layer"] = 128 * 7168, ["expert"] = 0, ["row"] = 7168 },
        new() { ["first"] = 7168, ["layer"] = 128 * 14_336, ["expert"] = 0, ["row"] = 14_336 },
        7168,
        immediate);
}

/// <summary>8 layers of 128 experts of 8 KiB. The enumerator also finds the 1024 writes to the other rank, so its time is for two.</summary>
public class FlatExpertsExpansion : WeightExpansion<FlatExperts, FlatExpertsLoop>
{
    protected override int SourceRank => 17;

    protected override int DestinationRank => 1;

    protected override WeightDictionaryPlanner CreateDictionaryPlanner(Immediate immediate) => new(
        Enumerable.Range(0, 8).SelectMany(static layer => Enumerable.Range(0, 128).Select(expert => (layer, expert))).ToDictionary(
            static tensor => $"layers.{tensor.layer}.mlp.experts.{tensor.expert + 128}.up_proj.weight",
            static tensor => new Dictionary<string, long> { ["layer"] = tensor.layer, ["expert"] = tensor.expert, ["rows"] = 1 }),
        new() { ["first"] = 128 * 8192, ["layer"] = 256 * 8192, ["expert"] = 8192, ["row"] = 0 },
        new() { ["first"] = 17 * 8192, ["layer"] = 128 * 2_097_152, ["expert"] = 2_097_152, ["row"] = 0 },
        8192,
        immediate);
}
