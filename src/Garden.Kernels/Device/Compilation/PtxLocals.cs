using System.Text;
using System.Text.RegularExpressions;

namespace Garden.Kernels.Compilation;

/// <summary>
/// Turns ILGPU's local variables into registers. What inline PTX writes goes through a variable in local memory that the driver's
/// compiler does not promote, so that every 16-byte load would be stored and loaded again.
/// </summary>
/// <remarks>
/// A variable is promoted when its address is taken once and every use of that address is a plain load or store of the whole
/// variable; then it cannot be told from a register. Anything else, and single bytes, for which PTX has no registers, is left.
/// </remarks>
internal static partial class PtxLocals
{
    /// <summary>The same module with its promotable variables in registers.</summary>
    public static string Promote(string ptx)
    {
        string[] lines = ptx.Split('\n');
        var variables = new Dictionary<string, Variable>();
        var byName = new Dictionary<string, Variable>();
        for (int i = 0; i < lines.Length; i++)
        {
            if (Declaration().Match(lines[i]) is { Success: true } declared)
            {
                byName[declared.Groups["name"].Value] = new Variable(i, declared.Groups["name"].Value, int.Parse(declared.Groups["bytes"].Value, null) * 8);
            }
            else if (AddressOf().Match(lines[i]) is { Success: true } taken && byName.TryGetValue(taken.Groups["name"].Value, out Variable? variable))
            {
                variable.AddressLine = i;
                // Two variables behind one register cannot be told apart.
                if (!variables.TryAdd(taken.Groups["register"].Value, variable))
                    variables[taken.Groups["register"].Value].Escapes = variable.Escapes = true;
            }
        }

        for (int i = 0; i < lines.Length; i++)
            FindUses(lines[i], i, variables);
        return Rewrite(lines, variables);
    }

    private static void FindUses(string line, int index, Dictionary<string, Variable> variables)
    {
        foreach (Match match in Register().Matches(line))
        {
            if (!variables.TryGetValue(match.Value, out Variable? variable) || variable.AddressLine == index)
                continue;
            Match use = Use().Match(line);
            bool plain = use.Success && use.Groups["address"].Value == match.Value && int.Parse(use.Groups["bits"].Value, null) == variable.Bits
                && use.Groups["value"].Value.Trim() != match.Value;
            if (!plain)
                variable.Escapes = true;
        }
    }

    private static string Rewrite(string[] lines, Dictionary<string, Variable> variables)
    {
        var promoted = variables.Where(static pair => pair.Value is { Escapes: false, Bits: 16 or 32 or 64 }).ToDictionary();
        var declarations = promoted.Values.ToDictionary(static variable => variable.Line);
        var addresses = promoted.Values.Select(static variable => variable.AddressLine).ToHashSet();
        var text = new StringBuilder();
        for (int i = 0; i < lines.Length; i++)
        {
            if (addresses.Contains(i))
                continue;
            if (declarations.TryGetValue(i, out Variable? declared))
                text.Append($"\t.reg .b{declared.Bits} %{declared.Name};\n");
            else if (Use().Match(lines[i]) is { Success: true } use && promoted.TryGetValue(use.Groups["address"].Value, out Variable? variable))
                text.Append(Move(use, variable));
            else
                text.Append(lines[i]).Append('\n');
        }

        return text.ToString().TrimEnd('\n') + "\n";
    }

    private static string Move(Match use, Variable variable)
    {
        string move = $"\t{use.Groups["guard"].Value}mov.{use.Groups["type"].Value}{variable.Bits}\t";
        string value = use.Groups["value"].Value;
        return use.Groups["op"].Value == "st" ? $"{move}%{variable.Name}, {value};\n" : $"{move}{value}, %{variable.Name};\n";
    }

    [GeneratedRegex(@"^\s*\.local \.align \d+ \.b8 (?<name>__local_depot\d+)\[(?<bytes>\d+)\];\s*$")]
    private static partial Regex Declaration();

    [GeneratedRegex(@"^\s*mov\.b64\s+(?<register>%rd\d+), (?<name>__local_depot\d+);\s*$")]
    private static partial Regex AddressOf();

    [GeneratedRegex(@"%rd\d+")]
    private static partial Regex Register();

    [GeneratedRegex(@"^\s*(?<guard>@!?%p\d+ )?(?:(?<op>st)\.local\.(?<type>[bfus])(?<bits>\d+)\s+\[(?<address>%rd\d+)\], (?<value>[^;,\[\]]+)|(?<op>ld)\.local\.(?<type>[bfus])(?<bits>\d+)\s+(?<value>%\w+), \[(?<address>%rd\d+)\]);\s*$")]
    private static partial Regex Use();

    /// <summary>A variable in local memory.</summary>
    private sealed class Variable(int line, string name, int bits)
    {
        public int Line { get; } = line;

        public string Name { get; } = name;

        public int Bits { get; } = bits;

        public int AddressLine { get; set; } = -1;

        public bool Escapes { get; set; }
    }
}
