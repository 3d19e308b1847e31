using System.Reflection;
using System.Text.RegularExpressions;
using Garden.Weights;

namespace Garden.Generators.Integration.Weights.Routing;

/// <summary>
/// What the ranks of a map must send and receive at least, from its attributes alone: who holds which elements, who needs them,
/// and the max-flow bound between. Reads trainer placements of expert and flat splits, and inference placements of expert splits
/// and shards that divide.
/// </summary>
internal sealed partial class LoadBounds
{
    private const int Block = 128;

    private readonly Dictionary<string, (int[] Ranks, long Bytes)> _demands = [];
    private readonly (string Name, int Size)[] _trainer;
    private readonly (string Name, int Size)[] _inference;
    private readonly bool[] _present;
    private readonly long[] _received;

    private LoadBounds(Type map, WeightMesh trainer, WeightMesh inference, Func<int, bool> trainerPresent)
    {
        var attribute = map.GetCustomAttribute<WeightShardMapAttribute>()!;
        (_trainer, _inference) = (Axes(attribute.TrainerMesh, trainer), Axes(attribute.InferenceMesh, inference));
        _present = [.. Enumerable.Range(0, trainer.Ranks).Select(trainerPresent)];
        _received = new long[inference.Ranks];
        foreach (WeightTensorAttribute rule in map.GetCustomAttributes<WeightTensorAttribute>())
            AddRule(rule, rule.Trainer.Length != 0 ? rule.Trainer : attribute.Trainer, rule.Inference.Length != 0 ? rule.Inference : attribute.Inference);
        Sent = MaxFlow.LeastMaximum([.. _demands.Values], trainer.Ranks);
    }

    /// <summary>No schedule lets the most loaded trainer rank send less, up to a millionth.</summary>
    public long Sent { get; }

    /// <summary>What the most loaded inference rank needs.</summary>
    public long Received => _received.Max();

    /// <summary>What each inference rank needs.</summary>
    public long[] ReceivedBy => _received;

    public static LoadBounds Of<TMap>(WeightMeshes<TMap> meshes, Func<int, bool>? trainerPresent = null)
        where TMap : unmanaged, IWeightShardMap<TMap> => new(typeof(TMap), meshes.Trainer, meshes.Inference, trainerPresent ?? (_ => true));

    private void AddRule(WeightTensorAttribute rule, string trainer, string inference)
    {
        int experts = 1, outers = 1;
        foreach (Match variable in Ranges().Matches(rule.Name))
        {
            int count = int.Parse(variable.Groups[3].Value) - int.Parse(variable.Groups[2].Value);
            if (variable.Groups[1].Value == "expert")
                experts = count;
            else
                outers *= count;
        }

        int[] shape = [.. rule.Shape, 1];
        (long rows, long columns) = (shape[0], shape[1]);
        bool converted = rule.Convert == WeightConversion.Float8Block128;
        Split[] needed = [.. Splits(inference)];
        int shards = needed.Where(split => split.Kind == "shard").Aggregate(1, (product, split) => product * SizeOf(_inference, split.Axis));
        int expertShards = needed.Where(split => split.Kind == "expert").Aggregate(1, (product, split) => product * SizeOf(_inference, split.Axis));
        long tensor = converted ? (rows * columns) + (4 * ((rows + Block - 1) / Block) * ((columns + Block - 1) / Block)) : rows * columns * 2;
        for (int rank = 0; rank < _received.Length; rank++)
            _received[rank] += tensor / shards * outers * (experts / expertShards);
        long copies = _received.Length / shards / expertShards;

        long unit = converted ? Block * columns : FlatLength(trainer, rows * columns);
        // Experts that lie on the same ranks are one demand.
        int expertsTogether = experts / Splits(trainer).Where(split => split.Kind == "expert").Aggregate(1, (product, split) => product * SizeOf(_trainer, split.Axis));
        for (int expert = 0; expert < experts; expert += expertsTogether)
        {
            for (long first = 0; first < rows * columns; first += unit)
            {
                long end = Math.Min(rows * columns, first + unit);
                long bytes = converted ? end - first + (4 * ((columns + Block - 1) / Block)) : 2 * (end - first);
                AddDemand(HoldersOf(trainer, expert, experts, first, end, rows * columns), bytes * copies * outers * expertsTogether);
            }
        }
    }

    private void AddDemand(int[] ranks, long bytes)
    {
        Assert.NotEmpty(ranks);
        string key = string.Join(',', ranks);
        _demands[key] = (ranks, bytes + (_demands.TryGetValue(key, out (int[], long Bytes) same) ? same.Bytes : 0));
    }

    private long FlatLength(string trainer, long elements)
    {
        string? axis = Splits(trainer).FirstOrDefault(split => split.Kind == "flat")?.Axis;
        int size = axis is null ? 1 : SizeOf(_trainer, axis);
        return (elements + size - 1) / size;
    }

    /// <summary>The present ranks that hold the expert and one of the elements.</summary>
    private int[] HoldersOf(string trainer, int expert, int experts, long first, long end, long elements)
    {
        var ranks = new List<int>();
        for (int rank = 0; rank < _present.Length; rank++)
        {
            (int firstExpert, int count) = (0, experts);
            (long from, long to) = (0, elements);
            foreach (Split split in Splits(trainer))
            {
                int size = SizeOf(_trainer, split.Axis), at = CoordinateOf(rank, split.Axis);
                if (split.Kind == "expert")
                    (firstExpert, count) = (firstExpert + (at * (count / size)), count / size);
                else if (split.Kind == "flat")
                    (from, to) = (at * FlatLength(trainer, elements), Math.Min(elements, (at + 1) * FlatLength(trainer, elements)));
            }

            if (_present[rank] && expert >= firstExpert && expert < firstExpert + count && from < end && to > first)
                ranks.Add(rank);
        }

        return [.. ranks];
    }

    private int CoordinateOf(int rank, string axis)
    {
        for (int i = _trainer.Length - 1; i >= 0; i--)
        {
            if (_trainer[i].Name == axis)
                return rank % _trainer[i].Size;
            rank /= _trainer[i].Size;
        }

        throw new ArgumentException(axis, nameof(axis));
    }

    private static int SizeOf((string Name, int Size)[] axes, string name) => axes.Single(axis => axis.Name == name).Size;

    private static (string Name, int Size)[] Axes(string declared, WeightMesh mesh) =>
        [.. declared.Split(',').Select((axis, i) => (axis.Split('=')[0].Trim(), mesh[i]))];

    private static IEnumerable<Split> Splits(string placement) => SplitPattern().Matches(placement)
        .Select(match => new Split(match.Groups[1].Value, match.Groups[2].Value.Split(',')[^1].Trim()));

    [GeneratedRegex(@"(\w+)\(([^)]*)\)")]
    private static partial Regex SplitPattern();

    [GeneratedRegex(@"\{(\w+):(\d+)\.\.(\d+)\}")]
    private static partial Regex Ranges();

    private sealed record Split(string Kind, string Axis);
}
