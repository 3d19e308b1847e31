using System.Globalization;

namespace Garden.Generators.Weights;

/// <summary>What a declaration must fulfil by itself, whatever tensors there are.</summary>
internal static class WeightMapRules
{
    /// <summary>The rules of a declaration; those with defects are left out, and the defects reported.</summary>
    public static WeightMap? Create(WeightMapDeclaration declaration, WeightViolations violations)
    {
        WeightMeshShape? trainer = Mesh("TrainerMesh", declaration.TrainerMesh);
        WeightMeshShape? inference = Mesh("InferenceMesh", declaration.InferenceMesh);
        if ((uint)declaration.Element >= (uint)WeightElements.Names.Length)
            violations.AtMap("GRDN0052", "Element", Text(declaration.Element), "WeightElement", string.Join(", ", WeightElements.Names));
        if (trainer is null || inference is null || violations.Any)
            return null;

        var rules = new List<WeightRule>();
        for (int i = 0; i < declaration.Tensors.Count; i++)
        {
            if (CreateRule(i, declaration, trainer, inference, violations) is { } rule)
                rules.Add(rule);
        }

        if (declaration.Tensors.Count == 0)
            violations.AtMap("GRDN0051", null, "[WeightTensor]", "the map", "missing");
        return violations.Any ? null : new WeightMap(trainer, inference, [.. rules], WeightFusionRules.Create(declaration, rules, violations));

        WeightMeshShape? Mesh(string argument, string text)
        {
            WeightMeshShape? mesh = WeightMeshShape.Parse(text, out string? error);
            if (error is not null)
                violations.AtMap("GRDN0054", text.Length == 0 ? null : argument, text, argument, error);
            return mesh;
        }
    }

    private static WeightRule? CreateRule(
        int index, WeightMapDeclaration map, WeightMeshShape trainer, WeightMeshShape inference, WeightViolations violations)
    {
        WeightTensorDeclaration tensor = map.Tensors[index];
        int before = violations.Found.Count;
        WeightPattern? pattern = WeightPattern.Parse(tensor.Name, out string? error);
        if (pattern is null)
            violations.AtTensor(index, "GRDN0053", "0", tensor.Name, error!);
        CheckShape(index, tensor, violations);
        CheckOption("Element", tensor.Element, "WeightElement", WeightElements.Names);
        CheckOption("Convert", tensor.Convert, "WeightConversion", WeightElements.ConversionNames);
        bool experts = pattern?.Expert >= 0;
        WeightPlacementSyntax? atTrainer = Placement("Trainer", tensor.Trainer, map.Trainer, trainer);
        WeightPlacementSyntax? atInference = Placement("Inference", tensor.Inference, map.Inference, inference);
        if (violations.Found.Count != before)
            return null;
        return new WeightRule(
            index,
            tensor.Name,
            pattern!,
            [.. tensor.Shape],
            tensor.Element < 0 ? map.Element : tensor.Element,
            tensor.Convert,
            atTrainer!,
            atInference!);

        void CheckOption(string argument, int value, string type, string[] names)
        {
            if (value >= names.Length)
                violations.AtTensor(index, "GRDN0052", argument, Text(value), type, string.Join(", ", names));
        }

        WeightPlacementSyntax? Placement(string argument, string own, string maps, WeightMeshShape mesh)
        {
            string text = own.Length != 0 ? own : maps;
            WeightPlacementSyntax? placement = WeightPlacementSyntax.Parse(text, mesh, tensor.Shape.Count, experts, out string? error);
            // A default is reported at the rule it does not suit.
            if (error is not null)
                violations.AtTensor(index, "GRDN0054", own.Length != 0 ? argument : "0", text, $"{argument} placement of '{tensor.Name}'", error);
            return placement;
        }
    }

    private static void CheckShape(int index, WeightTensorDeclaration tensor, WeightViolations violations)
    {
        if (tensor.Shape.Count == 0)
            violations.AtTensor(index, "GRDN0051", null, "The shape", tensor.Name, "missing");
        for (int i = 0; i < tensor.Shape.Count; i++)
        {
            if (tensor.Shape[i] <= 0)
                violations.AtTensor(index, "GRDN0051", Text(i + 1), $"Dimension {i}", tensor.Name, Text(tensor.Shape[i]));
        }
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>A declaration in order.</summary>
internal sealed record WeightMap(WeightMeshShape Trainer, WeightMeshShape Inference, WeightRule[] Rules, WeightFusion[] Fusions);
