using System.Diagnostics;

namespace Garden.Perf.Engine;

/// <summary>What two connected engines with worker threads cost when nothing moves.</summary>
internal static class IdleScenario
{
    public static async Task RunAsync(Report report)
    {
        await using EnginePair pair = await EnginePair.CreateAsync(1 << 20, counting: false, callerDriven: false);
        await pair.Sender.SubmitSingleWrite(pair.Source, 0, pair.Destination, 0, 64, Immediate.FromNumber(1));
        await Task.Delay(TimeSpan.FromSeconds(1));
        using var process = Process.GetCurrentProcess();
        TimeSpan before = process.TotalProcessorTime;
        long started = Stopwatch.GetTimestamp();
        await Task.Delay(TimeSpan.FromSeconds(3));
        process.Refresh();
        double share = (process.TotalProcessorTime - before).TotalSeconds / Stopwatch.GetElapsedTime(started).TotalSeconds;
        report.Row("idle", ("idle_share_of_one_core", share), ("engines", 2));
    }
}
