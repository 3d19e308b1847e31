using Garden.Generators.ModelFiles;

namespace Garden.Generators.Weights;

/// <summary>From a declaration and the model files to the tables, or to all that is wrong. Used by the generator and by the analyzer.</summary>
internal static class WeightResolver
{
    public static WeightTables? Resolve(
        WeightMapDeclaration declaration, IEnumerable<ModelFile<SafetensorsIndex>> indexes, out IReadOnlyList<WeightViolation> found)
    {
        var violations = new WeightViolations();
        found = violations.Found;
        if (WeightMapRules.Create(declaration, violations) is not { } map)
            return null;
        (string, EquatableArray<string>)? index = null;
        if (declaration.Index.Length != 0)
        {
            SafetensorsIndex? file = ModelFileLookup.Find(indexes, declaration.Index, "Index", out RuleViolation? violation);
            if (violation is not null)
                violations.Add(WeightAttribute.Map, 0, violation);
            if (file is null)
                return null;
            index = (declaration.Index, file.Names);
        }

        WeightMatcher.Match(map, index, violations);
        if (violations.Any)
            return null;
        WeightFusionRules.CheckMatched(map.Fusions, violations);
        WeightSizeRules.Check(map, violations);
        return violations.Any ? null : WeightTables.Create(map);
    }
}
