using Garden.Weights;

namespace Garden.Generators.Integration.Weights.Model;

/// <summary>The tensors of a map are those of an index, each once.</summary>
internal static class NamesCheck
{
    public static void Run<TMap>(IndexFile index)
        where TMap : unmanaged, IWeightShardMap<TMap>
    {
        var numbers = new HashSet<int>();
        foreach (string name in index.Names)
        {
            Assert.True(WeightTensors<TMap>.TryFind(name, out int tensor), name);
            Assert.True(numbers.Add(tensor), name);
            Assert.Equal(name, WeightTensors<TMap>.NameOf(tensor));
        }

        Assert.Equal(index.Names.Length, TMap.TensorCount);
        Assert.Equal(Enumerable.Range(0, TMap.TensorCount), numbers.Order());
    }
}
