using System.Diagnostics;
using System.Globalization;

namespace Garden.Perf.Weights.Update;

/// <summary>The four processes, from outside.</summary>
internal sealed class UpdateNodes : IAsyncDisposable
{
    private readonly List<Process> _processes = [];

    public static async Task<UpdateNodes> StartAsync(UpdatePlan plan)
    {
        var nodes = new UpdateNodes();
        try
        {
            for (int node = 0; node < UpdatePlan.Trainers + UpdatePlan.Receivers; node++)
            {
                nodes._processes.Add(Process.Start(new ProcessStartInfo(
                    Environment.ProcessPath!,
                    [.. DllArgument(), "weights", "update", "--node", $"{node}", "--directory", plan.Directory])
                {
                    RedirectStandardInput = true,
                    RedirectStandardOutput = true,
                })!);
            }

            foreach (Process process in nodes._processes)
                await ReadAsync(process);
            return nodes;
        }
        catch
        {
            await nodes.DisposeAsync();
            throw;
        }
    }

    /// <summary>All nodes do something; the seconds from the first one's beginning to the last one's end.</summary>
    public async Task<double> DoAsync(string what, long number)
    {
        // Receivers first: what they offer is there when a trainer asks.
        foreach (Process process in Enumerable.Reverse(_processes))
            await process.StandardInput.WriteLineAsync($"{what} {number}");
        long began = long.MaxValue, ended = 0;
        foreach (Process process in _processes)
        {
            long[] times = [.. (await ReadAsync(process)).Split(' ').Select(word => long.Parse(word, CultureInfo.InvariantCulture))];
            (began, ended) = (Math.Min(began, times[0]), Math.Max(ended, times[1]));
        }

        return Stopwatch.GetElapsedTime(began, ended).TotalSeconds;
    }

    public async ValueTask DisposeAsync()
    {
        // Inputs end with the trainers first, so that they say goodbye before the receivers go.
        foreach (Process process in _processes)
        {
            process.StandardInput.Close();
            try
            {
                await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(20));
            }
            catch (TimeoutException)
            {
                process.Kill();
            }

            process.Dispose();
        }
    }

    private static async Task<string> ReadAsync(Process process) =>
        await process.StandardOutput.ReadLineAsync().WaitAsync(UpdatePlan.Deadline)
        ?? throw new InvalidDataException("A process of the measurement ended early; its message stands above.");

    private static IEnumerable<string> DllArgument() =>
        Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? [Environment.GetCommandLineArgs()[0]] : [];
}
