using System.Globalization;

namespace Garden.Generators.Weights;

/// <summary>Finds the rule of every tensor and the tensors of every rule.</summary>
internal static class WeightMatcher
{
    /// <summary>More than any model has; keeps a slip in a range from filling the memory.</summary>
    private const int MostTensors = 4_000_000;

    /// <summary>Matches the names of an index, or those that the ranges of the rules tell.</summary>
    /// <param name="map">The rules; what matches them is stored there.</param>
    /// <param name="index">The index' name and names; null without one.</param>
    /// <param name="violations">Tensors without or with two rules, rules without tensors or with gaps.</param>
    public static void Match(WeightMap map, (string File, EquatableArray<string> Names)? index, WeightViolations violations)
    {
        if ((index is { } given ? given.Names : NamesOf(map, violations)) is not { } names)
            return;
        List<int[]>[] matches = [.. map.Rules.Select(_ => new List<int[]>())];
        MatchNames(map, names, index is not null, matches, violations);
        for (int i = 0; i < map.Rules.Length; i++)
        {
            // Only with an index: without one every rule has told names of its own.
            if (matches[i].Count == 0)
                violations.AtTensor(map.Rules[i].Index, "GRDN0058", "0", map.Rules[i].Name, index?.File ?? "");
            else
                Store(map.Rules[i], matches[i], violations);
        }
    }

    private static EquatableArray<string>? NamesOf(WeightMap map, WeightViolations violations)
    {
        decimal count = 0;
        foreach (WeightRule rule in map.Rules)
        {
            if (!rule.Pattern.IsBounded)
                violations.AtTensor(rule.Index, "GRDN0061", "0", rule.Name, "has a variable without a range and the map has no index file; name an Index, or write ranges as in {layer:0..61}");
            else
                count += rule.Pattern.CountNames();
        }

        if (violations.Any)
            return null;
        if (count > MostTensors)
        {
            violations.AtMap("GRDN0056", null, "The map", $"{count.ToString(CultureInfo.InvariantCulture)} tensors", $"{MostTensors}");
            return null;
        }

        return new EquatableArray<string>(map.Rules.SelectMany(rule => rule.Pattern.Enumerate()).Distinct(StringComparer.Ordinal));
    }

    private static void MatchNames(WeightMap map, EquatableArray<string> names, bool fromFile, List<int[]>[] matches, WeightViolations violations)
    {
        int widest = map.Rules.Max(rule => rule.Pattern.Count);
        int[] values = new int[widest];
        string? unmatched = null;
        int unmatchedCount = 0;
        var doubles = new HashSet<(int, int)>();
        foreach (string name in names)
        {
            int found = -1;
            for (int i = 0; i < map.Rules.Length; i++)
            {
                WeightRule rule = map.Rules[i];
                if (!rule.Pattern.Match(name, values))
                    continue;
                // One message for each pair of rules is enough to say what is wrong.
                if (found >= 0 && doubles.Add((found, i)))
                    violations.AtTensor(rule.Index, "GRDN0059", "0", name, map.Rules[found].Name, rule.Name);
                found = i;
                matches[i].Add([.. values.Take(rule.Pattern.Count)]);
            }

            if (found < 0)
            {
                unmatched ??= name;
                unmatchedCount++;
            }
        }

        if (unmatched is not null && fromFile)
            violations.AtMap("GRDN0057", "Index", unmatched, unmatchedCount == 1 ? "" : $" and {unmatchedCount - 1} more");
    }

    private static void Store(WeightRule rule, List<int[]> matches, WeightViolations violations)
    {
        int expert = rule.Pattern.Expert;
        matches.Sort((left, right) => Compare(left, right, expert));
        rule.Experts = expert < 0 ? 1 : matches.Max(match => match[expert]) + 1;
        // The names differ, so a full grid of experts is one whose sorted experts run 0, 1, … again and again.
        for (int i = 0; expert >= 0 && i < matches.Count; i++)
        {
            if (matches[i][expert] == i % rule.Experts)
                continue;
            int[] missing = [.. matches[i]];
            if (matches[i][expert] < i % rule.Experts)
                missing = [.. matches[i - 1]];
            missing[expert] = i % rule.Experts;
            violations.AtTensor(rule.Index, "GRDN0061", "0", rule.Name, $"lacks '{rule.Pattern.Format(missing)}'; every layer must have experts 0 to {rule.Experts - 1}");
            return;
        }

        if (matches.Count % rule.Experts != 0)
        {
            int[] missing = [.. matches[matches.Count - 1]];
            missing[expert]++;
            violations.AtTensor(rule.Index, "GRDN0061", "0", rule.Name, $"lacks '{rule.Pattern.Format(missing)}'; every layer must have experts 0 to {rule.Experts - 1}");
            return;
        }

        rule.OuterCount = matches.Count / rule.Experts;
        rule.Outers = [.. matches.Where((_, i) => i % rule.Experts == 0).SelectMany(match => match.Where((_, variable) => variable != expert))];
    }

    /// <summary>The order of tensors: by the variables from left to right, the expert last.</summary>
    private static int Compare(int[] left, int[] right, int expert)
    {
        for (int i = 0; i < left.Length; i++)
        {
            if (i != expert && left[i] != right[i])
                return left[i].CompareTo(right[i]);
        }

        return expert < 0 ? 0 : left[expert].CompareTo(right[expert]);
    }
}
