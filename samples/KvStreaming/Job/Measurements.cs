using System.Diagnostics;

namespace KvStreaming;

/// <summary>What both sides of a run write down. Thread-safe.</summary>
internal sealed class Measurements(int requests)
{
    private readonly Lock _lock = new();
    private readonly long[] _lastLayerDone = new long[requests];
    private readonly List<double> _addedMicroseconds = [];
    private readonly List<string> _errors = [];

    public long Requests { get; private set; }

    public long Tokens { get; private set; }

    public long Bytes { get; private set; }

    public long VerifiedBytes { get; private set; }

    public long HitBlocks { get; private set; }

    public long Blocks { get; private set; }

    /// <summary>Writes there would be if no neighbouring pages were sent together.</summary>
    public long CanonicalWrites { get; private set; }

    public IReadOnlyList<string> Errors => _errors;

    /// <summary>The prefiller's model has computed its last layer of a request.</summary>
    public void ComputeDone(int request) => Volatile.Write(ref _lastLayerDone[request], Stopwatch.GetTimestamp());

    /// <summary>The decoder has everything of a request. Nothing is added when its model computed in another process, which did not say when.</summary>
    public void Delivered(int request)
    {
        if (Volatile.Read(ref _lastLayerDone[request]) is not 0 and long computed)
            Added(Stopwatch.GetElapsedTime(computed));
    }

    /// <summary>The decoder has everything of a request whose last layer was computed at that moment, by a clock of this host or another.</summary>
    public void Delivered(ClockStamp computed)
    {
        if (computed.Elapsed is { } added)
            Added(added);
    }

    public void Served(int tokens, long bytes, long verified, int hitBlocks, int blocks, long canonicalWrites)
    {
        lock (_lock)
        {
            Requests++;
            Tokens += tokens;
            Bytes += bytes;
            VerifiedBytes += verified;
            HitBlocks += hitBlocks;
            Blocks += blocks;
            CanonicalWrites += canonicalWrites;
        }
    }

    public void Error(string message)
    {
        lock (_lock)
            _errors.Add(message);
    }

    private void Added(TimeSpan time)
    {
        lock (_lock)
            _addedMicroseconds.Add(time.TotalMicroseconds);
    }

    public double[] AddedMicroseconds()
    {
        lock (_lock)
        {
            double[] sorted = [.. _addedMicroseconds];
            Array.Sort(sorted);
            return sorted;
        }
    }
}
