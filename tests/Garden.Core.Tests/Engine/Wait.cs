using System.Diagnostics;

namespace Garden.Core.Tests.Engine;

/// <summary>Bounded waits of asynchronous tests.</summary>
internal static class Wait
{
    /// <summary>Waits until a state that other threads bring about is there; yields the thread between looks.</summary>
    public static async Task UntilAsync(Func<bool> condition, string what)
    {
        long started = Stopwatch.GetTimestamp();
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(started) > EnginePair.Limit)
                throw new TimeoutException($"Waited {EnginePair.Limit} for: {what}");
            await Task.Delay(1);
        }
    }

    /// <summary>A transfer's end, bounded.</summary>
    public static Task<TransferResult> Ended(this Transfer transfer) => transfer.AsValueTask().AsTask().WaitAsync(EnginePair.Limit);

    /// <summary>A counter's count, bounded.</summary>
    public static Task<long> Reaches(this ImmCounter counter, long units, params Peer[] peers) =>
        counter.WaitAsync(units, EnginePair.Limit, peers).AsTask().WaitAsync(EnginePair.Limit + EnginePair.Limit);
}
