namespace Garden.Generators.Weights;

/// <summary>What the members of a fusion must have in common.</summary>
internal static class WeightFusionRules
{
    public static WeightFusion[] Create(WeightMapDeclaration declaration, IReadOnlyList<WeightRule> rules, WeightViolations violations)
    {
        var fusions = new List<WeightFusion>();
        var taken = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < declaration.Fusions.Count; i++)
        {
            if (CreateOne(i, declaration.Fusions[i], rules, taken, out string? argument, out string error) is { } fusion)
                fusions.Add(fusion);
            else
                violations.AtFusion(i, "GRDN0060", argument, declaration.Fusions[i].Name, error);
        }

        return [.. fusions];
    }

    /// <summary>What the members must have in common that only the names tell.</summary>
    public static void CheckMatched(IEnumerable<WeightFusion> fusions, WeightViolations violations)
    {
        foreach (WeightFusion fusion in fusions)
        {
            WeightRule first = fusion.Members[0];
            for (int i = 1; i < fusion.Members.Length; i++)
            {
                WeightRule member = fusion.Members[i];
                if (member.Experts != first.Experts || !member.Outers.SequenceEqual(first.Outers))
                {
                    violations.AtFusion(
                        fusion.Index, "GRDN0060", Position(i), fusion.Name,
                        $"'{member.Name}' has {member.OuterCount} × {member.Experts} tensors and '{first.Name}' {first.OuterCount} × {first.Experts}, or others; members exist for the same layers and experts");
                }
            }
        }
    }

    private static WeightFusion? CreateOne(
        int index, WeightFusionDeclaration declaration, IReadOnlyList<WeightRule> rules, HashSet<string> taken, out string? argument, out string error)
    {
        argument = null;
        error = "";
        var members = new List<WeightRule>();
        for (int i = 0; i < declaration.Members.Count; i++)
        {
            string name = declaration.Members[i];
            argument = Position(i);
            if (rules.FirstOrDefault(rule => rule.Name == name) is not { } rule)
                error = $"'{name}' is no rule of this type; write the pattern as in its [WeightTensor]";
            else if (!taken.Add(name))
                error = $"'{name}' is a member of a fusion already";
            else if (members.Count != 0 && Difference(members[0], rule) is { } difference)
                error = $"'{name}' and '{members[0].Name}' differ in {difference}";
            else if (rule.Inference.Splits.Any(split => split.Kind == WeightSplitKind.Flat))
                error = $"'{name}' is split flat at inference; members are split by dimension";
            else
                members.Add(rule);
            if (error.Length != 0)
                return null;
        }

        argument = members.Count < 2 ? null : "0";
        if (members.Count < 2)
            error = "it has fewer than two members";
        else if (WeightPattern.Parse(declaration.Name, out string? defect) is not { } pattern)
            error = defect!;
        else if (!new HashSet<string>(pattern.VariableNames).SetEquals(members[0].Pattern.VariableNames))
            error = $"its name and '{members[0].Name}' have different variables";
        return error.Length == 0 ? new WeightFusion(index, declaration.Name, [.. members]) : null;
    }

    private static string? Difference(WeightRule first, WeightRule other)
    {
        if (first.Shape.Length != other.Shape.Length || !first.Shape.Skip(1).SequenceEqual(other.Shape.Skip(1)))
            return "a dimension other than the first, along which they are joined";
        if (first.Element != other.Element)
            return "their element type";
        if (first.Converts != other.Converts)
            return "their conversion";
        if (!new HashSet<string>(first.Pattern.VariableNames).SetEquals(other.Pattern.VariableNames))
            return "their variables";
        // The number of shards may differ: q has more heads than k and v.
        return first.Inference.Splits.Select(WithoutShards).SequenceEqual(other.Inference.Splits.Select(WithoutShards))
            ? null
            : "their placement at inference";

        static WeightSplitSyntax WithoutShards(WeightSplitSyntax split) => split with { MostShards = 0, Pads = false };
    }

    private static string Position(int member) => (member + 1).ToString(System.Globalization.CultureInfo.InvariantCulture);
}
