using Spectre.Console;

namespace KvStreaming;

/// <summary>Prints what a run came to.</summary>
internal static class Reporter
{
    private const int PlainWidth = 160;
    private const int MostErrors = 10;
    private const string OtherProcess = "(prefill process)";

    public static void PrintTable(IReadOnlyList<ModelResult> results, double memcpy, string ceiling)
    {
        if (Console.IsOutputRedirected)
            AnsiConsole.Profile.Width = PlainWidth;
        Table table = new Table().AddColumn("");
        var columns = new List<Summary>();
        foreach (ModelResult result in results)
        {
            table.AddColumn(new TableColumn($"{result.Model} ({result.Layers} of {result.LayersOfModel} layers)").RightAligned());
            columns.Add(Summary.Of([result], memcpy));
        }

        Row(table, "requests", columns, figures => $"{figures.Requests:N0}");
        Row(table, "new tokens", columns, figures => $"{figures.Tokens:N0}");
        Row(table, "bytes", columns, figures => Size(figures.Bytes));
        Row(table, "verified bytes", columns, figures => $"{Size(figures.VerifiedBytes)} ({Percent(figures.VerifiedBytes, figures.Bytes)})");
        Row(table, "GB/s, with fill and verification", columns, figures => $"{figures.GbPerSecond:0.00}");
        Row(table, $"{ceiling}, GB/s", columns, figures => $"{figures.MemcpyGbPerSecond:0.00} (ratio {figures.OverMemcpy:0.00})");
        Row(table, "writes per request", columns, figures => $"{figures.WritesPerRequest?.ToString("N1") ?? OtherProcess}");
        Row(table, "  before coalescing", columns, figures => $"{figures.WritesPerRequestUncoalesced:N1}");
        foreach (Placement placement in Enum.GetValues<Placement>())
        {
            table.AddRow([$"  whole prompts, {Summary.Name(placement)} pools", .. results.Select(result =>
            {
                WritesPerRequest study = result.Placements.First(study => study.Placement == placement);
                return $"{study.Coalesced:N1} of {study.Uncoalesced:N1}";
            })]);
        }

        Row(table, "added time to first token, p50", columns, figures => Microseconds(figures.AddedTtftP50Us));
        Row(table, "added time to first token, p99", columns, figures => Microseconds(figures.AddedTtftP99Us));
        Row(table, "prefix blocks resident", columns, figures => $"{figures.PrefixHitBlocks:N0} of {figures.PrefixBlocks:N0} ({Percent(figures.PrefixHitBlocks, figures.PrefixBlocks)})");
        Row(table, "leaked pages", columns, figures => $"{figures.LeakedPages}");
        AnsiConsole.Write(table);
    }

    public static void PrintErrors(IEnumerable<ModelResult> results)
    {
        foreach (ModelResult result in results)
        {
            foreach (string error in result.Measured.Errors.Take(MostErrors))
                Console.Error.WriteLine($"{result.Model}: wrong data: {error}");
        }
    }

    private static void Row(Table table, string name, List<Summary> columns, Func<Summary, string> value) =>
        table.AddRow([name, .. columns.Select(value)]);

    private static string Microseconds(double? value) => value is { } known ? $"{known:N0} µs" : OtherProcess;

    private static string Size(long bytes) => $"{bytes / (double)(1 << 30):0.00} GiB";

    private static string Percent(long part, long whole) => whole == 0 ? "none" : $"{100.0 * part / whole:0.##} %";
}
