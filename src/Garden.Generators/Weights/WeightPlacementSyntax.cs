using System.Globalization;

namespace Garden.Generators.Weights;

/// <summary>What a split cuts; the values of Garden.Core's WeightSplitKind.</summary>
internal enum WeightSplitKind
{
    Experts = 1,
    Dimension0 = 2,
    Dimension1 = 3,
    Dimension2 = 4,
    Flat = 5,
}

/// <summary>One split of a placement.</summary>
internal sealed record WeightSplitSyntax(WeightSplitKind Kind, int Axis, bool Pads, int MostShards)
{
    public int Dimension => Kind is WeightSplitKind.Experts or WeightSplitKind.Flat ? -1 : (int)Kind - (int)WeightSplitKind.Dimension0;

    /// <summary>The bits that Garden.Core's WeightSplit reads.</summary>
    public ulong Bits => (ulong)((int)Kind | (Axis << 3) | (Pads ? 32 : 0) | (MostShards << 6));
}

/// <summary>The splits of a placement, in order.</summary>
internal sealed record WeightPlacementSyntax(EquatableArray<WeightSplitSyntax> Splits)
{
    private const int MaxShards = 1023;

    /// <summary>The bits that Garden.Core's WeightPlacement reads.</summary>
    public ulong Bits => Splits.Select((split, i) => split.Bits << (16 * i)).Aggregate(0UL, (all, one) => all | one);

    /// <summary>The placement of a text such as <c>expert(ep) shard(0, tp)</c>, or null and what is wrong with it.</summary>
    public static WeightPlacementSyntax? Parse(string text, WeightMeshShape mesh, int dimensions, bool hasExperts, out string? error)
    {
        error = null;
        string rest = text.Trim();
        var splits = new List<WeightSplitSyntax>();
        if (rest == "replicate")
            return new WeightPlacementSyntax(new EquatableArray<WeightSplitSyntax>(splits));
        if (rest.Length == 0)
            error = "it is empty; write replicate where every rank holds all";
        while (rest.Length != 0 && error is null)
        {
            int open = rest.IndexOf('('), close = rest.IndexOf(')');
            if (open < 0 || close < open)
            {
                error = $"'{rest}' is no split; write replicate, shard(dimension, axis), expert(axis) or flat(axis), with blanks between";
                break;
            }

            string[] arguments = [.. rest.Substring(open + 1, close - open - 1).Split(',').Select(argument => argument.Trim())];
            WeightSplitSyntax? split = ParseSplit(rest.Substring(0, open).Trim(), arguments, mesh, dimensions, hasExperts, ref error);
            if (split is null)
                break;
            if (splits.Any(other => other.Axis == split.Axis))
                error = $"the axis {mesh.Axes[split.Axis]} is split over twice";
            else if (splits.Any(other => other.Kind == WeightSplitKind.Flat))
                error = "flat must be the last split; it cuts what the others leave";
            splits.Add(split);
            rest = rest.Substring(close + 1).Trim();
        }

        return error is null ? new WeightPlacementSyntax(new EquatableArray<WeightSplitSyntax>(splits)) : null;
    }

    private static WeightSplitSyntax? ParseSplit(
        string word, string[] arguments, WeightMeshShape mesh, int dimensions, bool hasExperts, ref string? error)
    {
        int next = 0;
        WeightSplitKind kind;
        switch (word)
        {
            case "shard":
                if (!int.TryParse(arguments[next++], NumberStyles.None, CultureInfo.InvariantCulture, out int dimension) || dimension >= Math.Min(3, dimensions))
                {
                    error = $"'{arguments[0]}' is no dimension that can be split; this tensor has 0 to {Math.Min(3, dimensions) - 1}";
                    return null;
                }

                kind = WeightSplitKind.Dimension0 + dimension;
                break;
            case "expert":
                kind = WeightSplitKind.Experts;
                if (!hasExperts)
                    error = "expert splits need {expert} in the tensor's name";
                break;
            case "flat":
                kind = WeightSplitKind.Flat;
                break;
            default:
                error = $"'{word}' is no split; write replicate, shard(dimension, axis), expert(axis) or flat(axis)";
                return null;
        }

        string name = next < arguments.Length ? arguments[next++] : "";
        int axis = mesh.AxisOf(name);
        if (axis < 0)
            error ??= $"'{name}' is no axis of the mesh, which has {string.Join(", ", mesh.Axes)}";
        bool pads = false;
        int most = 0;
        foreach (string option in arguments.Skip(next))
        {
            if (option == "pad" && kind != WeightSplitKind.Flat)
                pads = true;
            else if (!option.StartsWith("shards=", StringComparison.Ordinal) || !int.TryParse(option.Substring(7), NumberStyles.None, CultureInfo.InvariantCulture, out most) || most is 0 or > MaxShards)
                error ??= $"'{option}' is no option; write pad (flat splits always pad) or shards=1 to shards={MaxShards}";
        }

        return error is null ? new WeightSplitSyntax(kind, axis, pads, most) : null;
    }
}
