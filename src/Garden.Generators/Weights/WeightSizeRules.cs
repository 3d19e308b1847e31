using System.Globalization;
using System.Numerics;

namespace Garden.Generators.Weights;

/// <summary>What sizes must fulfil: even splits, whole blocks, and numbers that fit. Axes whose size run time gives are left to run time.</summary>
internal static class WeightSizeRules
{
    public static void Check(WeightMap map, WeightViolations violations)
    {
        var members = new HashSet<WeightRule>(map.Fusions.SelectMany(fusion => fusion.Members.Take(fusion.Members.Length - 1)));
        BigInteger total = 0, tensors = 0;
        foreach (WeightRule rule in map.Rules)
        {
            CheckSplits(rule, rule.Trainer, map.Trainer, "Trainer", violations);
            long[] local = CheckSplits(rule, rule.Inference, map.Inference, "Inference", violations);
            if (rule.Converts)
                CheckConversion(rule, local, members.Contains(rule), violations);
            BigInteger bytes = rule.Shape.Aggregate(new BigInteger(WeightElements.BytesOf(rule.Element)), (all, size) => all * size);
            if (bytes > long.MaxValue)
                violations.AtTensor(rule.Index, "GRDN0056", null, $"A tensor of '{rule.Name}'", $"{bytes} bytes", Text(long.MaxValue));
            // Rounding up to whole tensors of 256 bytes may add a little to each.
            total += (bytes + 256) * rule.OuterCount * rule.Experts;
            tensors += (BigInteger)rule.OuterCount * rule.Experts;
        }

        if (total > long.MaxValue && !violations.Any)
            violations.AtMap("GRDN0056", null, "The model", $"{total} bytes", Text(long.MaxValue));
        if (tensors > int.MaxValue)
            violations.AtMap("GRDN0056", null, "The model", $"{tensors} tensors", Text(int.MaxValue));
    }

    /// <summary>Reports uneven splits and returns what a rank has room for along the dimensions; 0 where run time decides.</summary>
    private static long[] CheckSplits(WeightRule rule, WeightPlacementSyntax placement, WeightMeshShape mesh, string argument, WeightViolations violations)
    {
        // The experts come behind the three dimensions.
        long[] local = [rule.Size(0), rule.Size(1), rule.Size(2), rule.Experts];
        foreach (WeightSplitSyntax split in placement.Splits.Where(split => split.Kind != WeightSplitKind.Flat))
        {
            ref long count = ref local[split.Kind == WeightSplitKind.Experts ? 3 : split.Dimension];
            int ranks = mesh.Sizes[split.Axis], shards = ranks;
            if (split.MostShards != 0 && ranks > split.MostShards)
            {
                if (ranks % split.MostShards != 0)
                    Report($"{ranks} ranks", $"{split.MostShards} shards", "make one a multiple of the other");
                shards = split.MostShards;
            }

            if (shards == 0 || count == 0)
            {
                count = 0;
                continue;
            }

            if (count % shards != 0 && !split.Pads)
            {
                string what = split.Kind == WeightSplitKind.Experts ? "experts" : $"elements along dimension {split.Dimension}";
                string axis = mesh.Axes[split.Axis];
                string padded = split.Kind == WeightSplitKind.Experts ? $"expert({axis}, pad)" : $"shard({split.Dimension}, {axis}, pad)";
                Report($"{count} {what}", $"{shards} ranks of '{axis}'", $"write {padded} to let the last ranks have less");
            }

            count = ((count - 1) / shards) + 1;
        }

        return local;

        void Report(string what, string over, string remedy) =>
            violations.AtTensor(rule.Index, "GRDN0055", argument, what, rule.Name, over, remedy);
    }

    private static void CheckConversion(WeightRule rule, long[] local, bool hasMemberBelow, WeightViolations violations)
    {
        if (rule.Element != WeightElements.BFloat16)
            Report($"its elements are {WeightElements.Names[rule.Element]}; only BFloat16 is converted");
        else if (rule.Shape.Length != 2)
            Report($"it has {rule.Shape.Length} dimensions; blocks need 2");
        else if (rule.Inference.Splits.Any(split => split.Kind == WeightSplitKind.Flat))
            Report("it is split flat at inference, which cuts blocks; split it by dimension");
        for (int dimension = 0; dimension < 2; dimension++)
        {
            if (local[dimension] % WeightElements.Block != 0 && local[dimension] != rule.Size(dimension))
                Report($"an inference rank holds {local[dimension]} elements along dimension {dimension}, which cuts a block; choose a mesh that leaves multiples of {WeightElements.Block}");
        }

        if (hasMemberBelow && local[0] % WeightElements.Block != 0)
            Report($"a rank's {local[0]} rows are no multiple of {WeightElements.Block}, so that the next member of its fusion would begin inside a block");

        void Report(string reason) => violations.AtTensor(rule.Index, "GRDN0062", "Convert", rule.Name, reason);
    }

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
}
