using System.Globalization;
using System.Text;

namespace Garden.Weights;

/// <summary>Names of tensors and their numbers. Cold: names are for files, messages and people.</summary>
internal static class WeightNames
{
    private const string Expert = "{expert}";

    /// <summary>The name of a tensor of a rule.</summary>
    public static string Format<TMap>(in WeightPart part, int tensor)
        where TMap : unmanaged, IWeightShardMap<TMap>
    {
        (int outer, int expert) = Math.DivRem(tensor - part.FirstTensor, part.Experts);
        ReadOnlySpan<int> variables = TMap.VariablesOf(part.Rule);
        int width = variables.Length / part.Outers, next = outer * width;
        var name = new StringBuilder();
        ReadOnlySpan<char> pattern = TMap.PatternOf(part.Rule);
        while (pattern.IndexOf('{') is var open and >= 0)
        {
            int close = pattern.IndexOf('}');
            bool isExpert = pattern[open..(close + 1)] is Expert;
            name.Append(pattern[..open]).Append(CultureInfo.InvariantCulture, $"{(isExpert ? expert : variables[next++])}");
            pattern = pattern[(close + 1)..];
        }

        return name.Append(pattern).ToString();
    }

    /// <summary>The number of the tensor of a name, −1 when the rule has none of that name.</summary>
    public static int Find<TMap>(in WeightPart part, ReadOnlySpan<char> name)
        where TMap : unmanaged, IWeightShardMap<TMap>
    {
        ReadOnlySpan<int> variables = TMap.VariablesOf(part.Rule);
        int width = variables.Length / part.Outers, expert = 0, read = 0;
        Span<int> values = stackalloc int[width];
        ReadOnlySpan<char> pattern = TMap.PatternOf(part.Rule);
        while (pattern.IndexOf('{') is var open and >= 0)
        {
            int close = pattern.IndexOf('}');
            if (!name.StartsWith(pattern[..open], StringComparison.Ordinal))
                return -1;
            name = name[open..];
            int digits = name.IndexOfAnyExceptInRange('0', '9') is var end && end < 0 ? name.Length : end;
            // As the generator reads them: no leading zeros.
            if (!int.TryParse(name[..digits], NumberStyles.None, CultureInfo.InvariantCulture, out int value) || (digits > 1 && name[0] == '0'))
                return -1;
            if (pattern[open..(close + 1)] is Expert)
                expert = value;
            else
                values[read++] = value;
            name = name[digits..];
            pattern = pattern[(close + 1)..];
        }

        if (!name.SequenceEqual(pattern) || expert >= part.Experts)
            return -1;
        for (int outer = 0; outer < part.Outers; outer++)
        {
            if (variables.Slice(outer * width, width).SequenceEqual(values))
                return part.FirstTensor + (outer * part.Experts) + expert;
        }

        return -1;
    }
}
