using System.Globalization;

namespace Garden.Generators.Weights;

/// <summary>A mesh: its axes in order. A size of 0 is given at run time.</summary>
internal sealed record WeightMeshShape(EquatableArray<string> Axes, EquatableArray<int> Sizes)
{
    public const int MaxAxes = 4;

    public int AxisOf(string name) => Array.IndexOf([.. Axes], name);

    /// <summary>The mesh of a text such as <c>dp=16, tp=?</c>, or null and what is wrong with it.</summary>
    public static WeightMeshShape? Parse(string text, out string? error)
    {
        var axes = new List<string>();
        var sizes = new List<int>();
        long ranks = 1;
        error = null;
        foreach (string entry in text.Split(','))
        {
            string[] pair = [.. entry.Split('=').Select(word => word.Trim())];
            int size = 0;
            if (pair.Length != 2 || pair[0].Length == 0 || !pair[0].All(c => char.IsLetterOrDigit(c) || c == '_'))
                error = $"'{entry.Trim()}' is no axis; write name=size or name=?, with commas between";
            else if (pair[1] != "?" && (!int.TryParse(pair[1], NumberStyles.None, CultureInfo.InvariantCulture, out size) || size == 0))
                error = $"'{pair[1]}' is no size of axis {pair[0]}; write a positive number, or ? to give it at run time";
            else if (axes.Contains(pair[0]))
                error = $"the axis {pair[0]} stands twice in it";
            else if ((ranks *= Math.Max(1, size)) > int.MaxValue)
                error = $"it has {ranks} ranks, more than {int.MaxValue}";
            if (error is not null)
                return null;
            axes.Add(pair[0]);
            sizes.Add(size);
        }

        if (axes.Count > MaxAxes)
            error = $"it has {axes.Count} axes, more than {MaxAxes}";
        return error is null ? new WeightMeshShape(new EquatableArray<string>(axes), new EquatableArray<int>(sizes)) : null;
    }
}
