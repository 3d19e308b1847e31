using System.Diagnostics;

namespace Garden.Weights;

/// <summary>Adds up what the stages of one step take, from several threads.</summary>
internal sealed class WeightStages
{
    private readonly long _began = Stopwatch.GetTimestamp();
    private long _load;
    private long _gather;
    private long _assemble;
    private long _hash;
    private long _firstWrite;
    private long _lastWrite;
    private long _bytes;

    public void Loaded(long since) => Interlocked.Add(ref _load, Stopwatch.GetTimestamp() - since);

    public void Gathered(long since) => Interlocked.Add(ref _gather, Stopwatch.GetTimestamp() - since);

    public void Assembled(long since) => Interlocked.Add(ref _assemble, Stopwatch.GetTimestamp() - since);

    public void Hashed(long since) => Interlocked.Add(ref _hash, Stopwatch.GetTimestamp() - since);

    public void Submitted() => Interlocked.CompareExchange(ref _firstWrite, Stopwatch.GetTimestamp(), 0);

    public void Written(long bytes)
    {
        Interlocked.Add(ref _bytes, bytes);
        // Completions may come in any order; the largest timestamp is the last one's.
        long now = Stopwatch.GetTimestamp(), last;
        while ((last = Volatile.Read(ref _lastWrite)) < now && Interlocked.CompareExchange(ref _lastWrite, now, last) != last)
        {
        }
    }

    public WeightStageTimes Result()
    {
        long now = Stopwatch.GetTimestamp(), last = _lastWrite == 0 ? now : _lastWrite;
        return new WeightStageTimes(
            Stopwatch.GetElapsedTime(_began, now),
            Stopwatch.GetElapsedTime(0, _load),
            Stopwatch.GetElapsedTime(0, _gather),
            Stopwatch.GetElapsedTime(0, _assemble),
            Stopwatch.GetElapsedTime(0, _hash),
            _firstWrite == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(_firstWrite, last),
            Stopwatch.GetElapsedTime(last, now),
            _bytes);
    }
}
