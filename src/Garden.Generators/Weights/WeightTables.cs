namespace Garden.Generators.Weights;

/// <summary>What is emitted: the rows of the map and what names the tensors.</summary>
/// <param name="TrainerMesh">Sizes of the trainer's mesh, 0 where run time gives them.</param>
/// <param name="InferenceMesh">Sizes of the inference mesh.</param>
/// <param name="Patterns">The rules' patterns, in the order of the tables.</param>
/// <param name="VariableLists">The lists of values that rules share.</param>
/// <param name="ListOfRule">Which list each rule has.</param>
/// <param name="PartWords">The rows of Garden.Core's WeightPart.</param>
/// <param name="TensorCount">Number of tensors.</param>
/// <param name="Hash">FNV-1a over all of the above, and the axes' names.</param>
internal sealed record WeightTables(
    EquatableArray<int> TrainerMesh,
    EquatableArray<int> InferenceMesh,
    EquatableArray<string> Patterns,
    EquatableArray<EquatableArray<int>> VariableLists,
    EquatableArray<int> ListOfRule,
    EquatableArray<long> PartWords,
    int TensorCount,
    ulong Hash)
{
    /// <summary>Words a row: the fields of WeightPart.</summary>
    public const int WordsPerPart = 15;

    /// <summary>The tables of a map without defects, whose rules are matched.</summary>
    public static WeightTables Create(WeightMap map)
    {
        var rules = new List<WeightRule>();
        var outputs = new List<WeightRule[]>();
        foreach (WeightRule rule in map.Rules)
        {
            WeightRule[] output = map.Fusions.FirstOrDefault(fusion => fusion.Members.Contains(rule))?.Members ?? [rule];
            // A fusion stands in the place of whichever member comes first.
            if (rules.Contains(output[0]))
                continue;
            rules.AddRange(output);
            outputs.Add(output);
        }

        int[] firstTensors = new int[rules.Count];
        int tensors = 0;
        for (int i = 0; i < rules.Count; i++)
        {
            firstTensors[i] = tensors;
            tensors += rules[i].OuterCount * rules[i].Experts;
        }

        var words = new List<long>();
        foreach (WeightRule[] output in outputs)
        {
            AddParts(output, scales: false);
            if (output[0].Converts)
                AddParts(output, scales: true);
        }

        EquatableArray<int>[] ofRules = [.. rules.Select(rule => new EquatableArray<int>(rule.Outers))];
        EquatableArray<int>[] lists = [.. ofRules.Distinct()];
        string[] patterns = [.. rules.Select(rule => rule.Pattern.Text)];
        return new WeightTables(
            map.Trainer.Sizes,
            map.Inference.Sizes,
            new EquatableArray<string>(patterns),
            new EquatableArray<EquatableArray<int>>(lists),
            new EquatableArray<int>(ofRules.Select(list => Array.IndexOf(lists, list))),
            new EquatableArray<long>(words),
            tensors,
            HashOf(map, patterns, ofRules, words));

        void AddParts(WeightRule[] output, bool scales)
        {
            long first = words.Count / WordsPerPart;
            foreach (WeightRule rule in output)
            {
                int index = rules.IndexOf(rule);
                long bytes = WeightElements.BytesOf(rule.Element) * rule.Inner;
                words.AddRange(
                [
                    index,
                    firstTensors[index],
                    rule.OuterCount,
                    rule.Experts,
                    rule.Size(0),
                    rule.Size(1),
                    rule.Size(2),
                    scales ? 0 : bytes,
                    scales ? WeightElements.ScaleBytes : rule.Converts ? WeightElements.Float8Bytes : bytes,
                    rule.Converts ? WeightElements.Block : 0,
                    unchecked((long)rule.Trainer.Bits),
                    unchecked((long)rule.Inference.Bits),
                    first,
                    output.Length,
                    scales ? WeightElements.Float32 : rule.Element,
                ]);
            }
        }
    }

    private static ulong HashOf(WeightMap map, string[] patterns, EquatableArray<int>[] lists, List<long> words) => Fnv1a.Of(
    [
        string.Join(",", map.Trainer.Axes), string.Join(",", map.Trainer.Sizes),
        string.Join(",", map.Inference.Axes), string.Join(",", map.Inference.Sizes),
        .. patterns,
        .. lists.Select(list => string.Join(",", list)),
        string.Join(",", words),
    ]);
}
