using System.Text.Json;
using System.Text.Json.Nodes;

namespace Garden.Perf;

/// <summary>Prints a row a scenario: one JSON object a line, or name and values aligned.</summary>
internal sealed class Report(bool json)
{
    private string _header = "";

    /// <summary>A row of a table whose columns are the values' names; a new header when they change.</summary>
    public void Line(string scenario, params (string Name, object Value)[] values)
    {
        if (json)
        {
            Row(scenario, values);
            return;
        }

        string header = string.Join("  ", values.Select(static value => value.Name));
        if (header != _header)
        {
            Console.WriteLine();
            Console.WriteLine(header);
        }

        _header = header;
        Console.WriteLine(string.Join("  ", values.Select(static value => (value.Value is double number ? $"{number:0.###}" : $"{value.Value}").PadLeft(value.Name.Length))));
    }

    public void Row(string scenario, params (string Name, object Value)[] values)
    {
        if (json)
        {
            var row = new JsonObject { ["scenario"] = scenario };
            foreach ((string name, object value) in values)
                row[name] = value is double number ? JsonValue.Create(Math.Round(number, 4)) : JsonSerializer.SerializeToNode(value);
            Console.WriteLine(row.ToJsonString());
            return;
        }

        // In one piece: several processes may report to one terminal.
        Console.WriteLine(string.Join('\n', values.Select(static value => $"  {value.Name,-36} {(value.Value is double number ? Format(number) : value.Value)}").Prepend(scenario)));
    }

    private static string Format(double value) => Math.Abs(value) >= 1e6 ? $"{value / 1e6:0.00} M" : $"{value:0.####}";
}
