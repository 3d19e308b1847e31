using System.Reflection;
using System.Text.RegularExpressions;
using Garden.Weights;

namespace Garden.Generators.Integration.Weights.Model;

/// <summary>
/// A map as its attributes read, without the generator's tables and without arithmetic: what a rank holds is a list with an entry
/// an element, cut and dealt out entry by entry.
/// </summary>
internal sealed partial class NaiveMap
{
    public const int Block = 128;

    private readonly int[] _trainer;
    private readonly int[] _inference;
    private readonly string[] _trainerAxes;
    private readonly string[] _inferenceAxes;

    public NaiveMap(Type map, IEnumerable<string> names, int[] trainer, int[] inference)
    {
        var attribute = map.GetCustomAttribute<WeightShardMapAttribute>()!;
        (_trainer, _inference) = (trainer, inference);
        (_trainerAxes, _inferenceAxes) = (AxesOf(attribute.TrainerMesh), AxesOf(attribute.InferenceMesh));
        Rule[] rules = [.. map.GetCustomAttributes<WeightTensorAttribute>().Select(tensor => new Rule(tensor, attribute))];
        foreach (string name in names)
            Assert.Single(rules, rule => rule.TryAdd(name));
        WeightFusionAttribute[] fusions = [.. map.GetCustomAttributes<WeightFusionAttribute>()];
        foreach (Rule rule in rules)
        {
            rule.Sort();
            if (Outputs.Any(output => output.Contains(rule)))
                continue;
            Outputs.Add(fusions.FirstOrDefault(fusion => fusion.Members.Contains(rule.Pattern)) is { } fused
                ? [.. fused.Members.Select(member => rules.Single(other => other.Pattern == member))]
                : [rule]);
        }
    }

    /// <summary>What lies side by side at inference, in order.</summary>
    public List<Rule[]> Outputs { get; } = [];

    /// <summary>What a trainer rank holds of a rule's tensors: for each place of a tensor its number among the experts (−1: padding), and the elements.</summary>
    public (int[] Experts, Grid Elements) AtTrainer(Rule rule, int rank) => Held(rule, rule.Trainer, _trainerAxes, _trainer, rank);

    /// <inheritdoc cref="AtTrainer"/>
    public (int[] Experts, Grid Elements) AtInference(Rule rule, int rank) => Held(rule, rule.Inference, _inferenceAxes, _inference, rank);

    private static (int[] Experts, Grid Elements) Held(Rule rule, string placement, string[] axes, int[] sizes, int rank)
    {
        var coordinates = new int[axes.Length];
        for (int axis = axes.Length - 1; axis >= 0; axis--)
            (rank, coordinates[axis]) = (rank / sizes[axis], rank % sizes[axis]);
        int[] experts = [.. Enumerable.Range(0, rule.Experts)];
        var grid = new Grid(rule.Dimensions[0], rule.Dimensions[1], rule.Dimensions[2]);
        foreach (Match split in Splits().Matches(placement))
        {
            string[] arguments = [.. split.Groups[2].Value.Split(',').Select(argument => argument.Trim())];
            int axis = Array.IndexOf(axes, arguments[split.Groups[1].Value == "shard" ? 1 : 0]);
            int size = sizes[axis], coordinate = coordinates[axis];
            if (arguments.FirstOrDefault(argument => argument.StartsWith("shards=", StringComparison.Ordinal)) is { } most && size > int.Parse(most[7..]))
            {
                coordinate /= size / int.Parse(most[7..]);
                size = int.Parse(most[7..]);
            }

            if (split.Groups[1].Value == "expert")
                experts = Chunk(experts, size, coordinate);
            else
                grid = split.Groups[1].Value == "flat" ? grid.Flat(size, coordinate) : grid.Shard(int.Parse(arguments[0]), size, coordinate);
        }

        return (experts, grid);
    }

    public static int[] Chunk(int[] items, int chunks, int chunk)
    {
        int length = (items.Length + chunks - 1) / chunks;
        int[] own = [.. items.Skip(chunk * length).Take(length)];
        return [.. own, .. Enumerable.Repeat(-1, length - own.Length)];
    }

    private static string[] AxesOf(string mesh) => [.. mesh.Split(',').Select(axis => axis.Split('=')[0].Trim())];

    [GeneratedRegex(@"(\w+)\(([^)]*)\)")]
    private static partial Regex Splits();

    /// <summary>A rule and the tensors it matches.</summary>
    internal sealed class Rule
    {
        private readonly Regex _pattern;
        private readonly List<(int[] Outer, int Expert, string Name)> _tensors = [];

        public Rule(WeightTensorAttribute tensor, WeightShardMapAttribute map)
        {
            Pattern = tensor.Name;
            _pattern = new Regex("^" + Regex.Replace(Regex.Escape(tensor.Name), @"\\\{(\w+)(:[^}]*)?}", @"(?<$1>\d+)") + "$");
            Trainer = tensor.Trainer.Length != 0 ? tensor.Trainer : map.Trainer;
            Inference = tensor.Inference.Length != 0 ? tensor.Inference : map.Inference;
            int[] shape = [.. tensor.Shape, 1, 1];
            Dimensions = shape[..3];
            bool given = tensor.Element != WeightElement.BFloat16;
            ElementBytes = (given ? tensor.Element : map.Element) == WeightElement.Float32 ? 4 : 2;
            Converts = tensor.Convert == WeightConversion.Float8Block128;
        }

        public string Pattern { get; }

        public string Trainer { get; }

        public string Inference { get; }

        public int[] Dimensions { get; }

        public int ElementBytes { get; }

        public bool Converts { get; }

        public int Experts { get; private set; } = 1;

        public int Outers => _tensors.Count / Experts;

        public string NameOf(int outer, int expert) => _tensors[(outer * Experts) + expert].Name;

        public bool TryAdd(string name)
        {
            Match match = _pattern.Match(name);
            if (!match.Success)
                return false;
            int[] outer = [.. match.Groups.Values.Skip(1).Where(group => group.Name != "expert").Select(group => int.Parse(group.Value))];
            _tensors.Add((outer, match.Groups["expert"].Success ? int.Parse(match.Groups["expert"].Value) : 0, name));
            return true;
        }

        public void Sort()
        {
            Experts = _tensors.Max(tensor => tensor.Expert) + 1;
            _tensors.Sort((left, right) => (left.Outer.AsSpan().SequenceCompareTo(right.Outer), left.Expert).CompareTo((0, right.Expert)));
        }
    }
}
