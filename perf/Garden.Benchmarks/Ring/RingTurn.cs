using System.Collections.Concurrent;
using BenchmarkDotNet.Attributes;

namespace Garden.Benchmarks.Ring;

/// <summary>
/// A request through the submission ring on one thread: claim, publish, peek, advance. The ceiling is the two interlocked
/// operations that no many-producer queue of this kind can do without. Times are per request.
/// </summary>
public unsafe class RingTurn
{
    private const int Requests = 1024;
    private readonly SubmissionRing _ring = new(4096);
    private readonly ConcurrentQueue<SubmissionSlot> _queue = new();
    private long _tail;
    private long _sequence;

    [Benchmark(Baseline = true, OperationsPerInvoke = Requests)]
    public long TwoInterlockedOperations()
    {
        for (int i = 0; i < Requests; i++)
        {
            long tail = _tail;
            Interlocked.CompareExchange(ref _tail, tail + 1, tail);
            Interlocked.Exchange(ref _sequence, tail + 1);
        }

        return _sequence;
    }

    [Benchmark(OperationsPerInvoke = Requests)]
    public long SubmissionRing()
    {
        long taken = 0;
        for (int i = 0; i < Requests; i++)
        {
            if (!_ring.TryClaim(out SubmissionSlot* slot, out long position))
                return -1;
            slot->Fill(null, i, 0, -1, default, planInBlock: false, 0);
            Garden.SubmissionRing.Publish(slot, position);
            SubmissionSlot* published = _ring.Peek();
            taken += published->Source;
            _ring.Advance(published);
        }

        return taken;
    }

    /// <summary>What the class library offers for the same: slots are copied in and out.</summary>
    [Benchmark(OperationsPerInvoke = Requests)]
    public long ConcurrentQueue()
    {
        long taken = 0;
        SubmissionSlot slot = default;
        for (int i = 0; i < Requests; i++)
        {
            slot.Fill(null, i, 0, -1, default, planInBlock: false, 0);
            _queue.Enqueue(slot);
            _queue.TryDequeue(out SubmissionSlot published);
            taken += published.Source;
        }

        return taken;
    }
}
