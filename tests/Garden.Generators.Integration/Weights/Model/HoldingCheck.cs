using Garden.Weights;

namespace Garden.Generators.Integration.Weights.Model;

/// <summary>Where a map says a tensor lies, against where the naive map puts its elements.</summary>
internal static class HoldingCheck<TMap>
    where TMap : unmanaged, IWeightShardMap<TMap>
{
    public static void Run(WeightMeshes<TMap> meshes, NaiveMap naive)
    {
        foreach (NaiveMap.Rule rule in naive.Outputs.SelectMany(output => output))
        {
            for (int rank = 0; rank < meshes.Trainer.Ranks; rank++)
                Compare(rule, naive.AtTrainer(rule, rank), tensor => WeightTensors<TMap>.AtTrainer(in meshes, rank, tensor));
            for (int rank = 0; rank < meshes.Inference.Ranks; rank++)
                Compare(rule, naive.AtInference(rule, rank), tensor => WeightTensors<TMap>.AtInference(in meshes, rank, tensor));
        }
    }

    private static void Compare(NaiveMap.Rule rule, (int[] Experts, Grid Elements) held, Func<int, WeightHolding?> locate)
    {
        for (int expert = 0; expert < rule.Experts; expert++)
        {
            Assert.True(WeightTensors<TMap>.TryFind(rule.NameOf(rule.Outers - 1, expert), out int tensor));
            WeightHolding? holding = locate(tensor);
            Assert.Equal(held.Experts.Contains(expert), holding is not null);
            if (holding is not { } found)
                continue;
            Assert.Equal(held.Elements.Items.Length, found.Flat.Local);
            var numbers = new List<int>();
            for (long position = found.Flat.First; position < found.Flat.First + found.Flat.Local; position++)
                numbers.Add(position < found.Flat.End ? NumberOf(rule, found, position) : -1);
            Assert.Equal(held.Elements.Items, numbers);
        }
    }

    private static int NumberOf(NaiveMap.Rule rule, WeightHolding holding, long position)
    {
        (long rest, long depth) = Math.DivRem(position, holding.Depth.Local);
        (long row, long column) = Math.DivRem(rest, holding.Columns.Local);
        (row, column, depth) = (row + holding.Rows.First, column + holding.Columns.First, depth + holding.Depth.First);
        return row >= holding.Rows.End || column >= holding.Columns.End || depth >= holding.Depth.End
            ? -1
            : (int)((((row * rule.Dimensions[1]) + column) * rule.Dimensions[2]) + depth);
    }
}
