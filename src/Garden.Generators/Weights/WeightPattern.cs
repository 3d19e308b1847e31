using System.Globalization;

namespace Garden.Generators.Weights;

/// <summary>A pattern over tensor names: literals with variables between them.</summary>
internal sealed class WeightPattern
{
    private readonly string[] _literals;
    private readonly Variable[] _variables;

    private WeightPattern(string[] literals, Variable[] variables)
    {
        _literals = literals;
        _variables = variables;
        Expert = Array.FindIndex(variables, variable => variable.Name == "expert");
    }

    /// <summary>Number of variables.</summary>
    public int Count => _variables.Length;

    /// <summary>Which variable is the expert, −1 for none.</summary>
    public int Expert { get; }

    /// <summary>True when every variable has a range.</summary>
    public bool IsBounded => _variables.All(variable => variable.End >= 0);

    /// <summary>The names of the variables, in order.</summary>
    public IEnumerable<string> VariableNames => _variables.Select(variable => variable.Name);

    /// <summary>The pattern without ranges.</summary>
    public string Text => string.Concat(_literals.Select((literal, i) => i < _variables.Length ? $"{literal}{{{_variables[i].Name}}}" : literal));

    /// <summary>The pattern of a text, or null and what is wrong with it.</summary>
    public static WeightPattern? Parse(string text, out string? error)
    {
        var literals = new List<string>();
        var variables = new List<Variable>();
        int position = 0;
        error = text.Length == 0 ? "it is empty" : null;
        while (error is null && text.IndexOf('{', position) is var open and >= 0)
        {
            int close = text.IndexOf('}', open);
            if (close < 0)
            {
                error = "a brace is not closed";
                break;
            }

            // Two variables side by side could be read in more than one way.
            if (variables.Count != 0 && open == position)
                error = "two variables need something between them";
            Variable? variable = ParseVariable(text.Substring(open + 1, close - open - 1), ref error);
            if (variable is null)
                break;
            if (variables.Any(other => other.Name == variable.Name))
                error = $"the variable {variable.Name} stands twice in it";
            literals.Add(text.Substring(position, open - position));
            variables.Add(variable);
            position = close + 1;
        }

        literals.Add(text.Substring(Math.Min(position, text.Length)));
        error ??= literals.Any(literal => literal.Contains('}')) ? "a brace is not opened" : null;
        return error is null ? new WeightPattern([.. literals], [.. variables]) : null;
    }

    /// <summary>True when the pattern matches; <paramref name="values"/> are then the variables', in order.</summary>
    public bool Match(string name, int[] values)
    {
        int position = 0;
        for (int i = 0; i < _literals.Length; i++)
        {
            string literal = _literals[i];
            if (string.CompareOrdinal(name, position, literal, 0, literal.Length) != 0)
                return false;
            position += literal.Length;
            if (i == _variables.Length)
                break;
            int first = position, value = 0;
            for (; position < name.Length && name[position] is >= '0' and <= '9' && position - first < 9; position++)
                value = (value * 10) + (name[position] - '0');
            // A number has one spelling, or two names would be one tensor.
            if (position == first || (name[first] == '0' && position - first > 1) || !_variables[i].Allows(value))
                return false;
            values[i] = value;
        }

        return position == name.Length;
    }

    /// <summary>The name of given values.</summary>
    public string Format(IReadOnlyList<int> values) =>
        string.Concat(_literals.Select((literal, i) => i < _variables.Length ? literal + values[i].ToString(CultureInfo.InvariantCulture) : literal));

    /// <summary>How many names the ranges allow.</summary>
    public decimal CountNames() => _variables.Aggregate(1m, (count, variable) => count * (variable.End - variable.First));

    /// <summary>All names that the ranges allow; only when bounded.</summary>
    public IEnumerable<string> Enumerate()
    {
        int[] values = [.. _variables.Select(variable => variable.First)];
        while (true)
        {
            yield return Format(values);
            int i = values.Length - 1;
            while (i >= 0 && ++values[i] == _variables[i].End)
                values[i] = _variables[i--].First;
            if (i < 0)
                yield break;
        }
    }

    private static Variable? ParseVariable(string text, ref string? error)
    {
        int colon = text.IndexOf(':');
        string name = colon < 0 ? text : text.Substring(0, colon);
        if (name.Length == 0 || !name.All(c => c is (>= 'a' and <= 'z') or (>= 'A' and <= 'Z') or '_'))
        {
            error = $"'{{{text}}}' is no variable; write a word of letters, as in {{layer}}";
            return null;
        }

        if (colon < 0)
            return new Variable(name, 0, -1);
        string[] range = text.Substring(colon + 1).Split([".."], StringSplitOptions.None);
        if (range.Length == 2
            && int.TryParse(range[0], NumberStyles.None, CultureInfo.InvariantCulture, out int first)
            && int.TryParse(range[1], NumberStyles.None, CultureInfo.InvariantCulture, out int end)
            && first < end
            && (name != "expert" || first == 0))
        {
            return new Variable(name, first, end);
        }

        error = $"'{{{text}}}' has no range; write the first number and the one behind the last, as in {{layer:0..61}}, and 0 as the first expert";
        return null;
    }

    private sealed record Variable(string Name, int First, int End)
    {
        public bool Allows(int value) => value >= First && (End < 0 || value < End);
    }
}
