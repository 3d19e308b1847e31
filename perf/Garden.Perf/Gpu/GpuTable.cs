namespace Garden.Perf.Gpu;

/// <summary>One short table: each figure beside its ceiling of the same run, the ratio and the goal.</summary>
internal sealed class GpuTable
{
    private readonly List<(string What, string Measured, string Ceiling, string Ratio, string Goal)> _rows = [("what", "measured", "beside it", "ratio", "goal")];

    /// <summary>A throughput against a ceiling in the same unit.</summary>
    public void Throughput(string what, double value, double ceiling, double goal)
    {
        double ratio = value / ceiling;
        Add(what, $"{value:0} GB/s", $"{ceiling:0} GB/s", $"{ratio:0.000}", goal == 0 ? "" : $">= {goal:0.00}{(ratio < goal ? " missed" : "")}");
    }

    public void Add(string what, string measured, string ceiling = "", string ratio = "", string goal = "")
    {
        _rows.Add((what, measured, ceiling, ratio, goal));
        // Also at once: a run that is cut off has shown what it had.
        Console.WriteLine($"- {what}: {measured} {ceiling} {ratio} {goal}".TrimEnd());
    }

    public void Print(string title)
    {
        Console.WriteLine();
        Console.WriteLine(title);
        foreach ((string what, string measured, string ceiling, string ratio, string goal) in _rows)
            Console.WriteLine($"{what,-58} {measured,22} {ceiling,22} {ratio,7}  {goal}".TrimEnd());
    }
}
