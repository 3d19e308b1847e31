using System.Diagnostics;

namespace Garden.Perf.Fabric;

/// <summary>The ceiling of a fabric: the same writes on two bare ends of its provider, with the same flags and depth.</summary>
internal sealed class RawPair : IWritePair
{
    private readonly RawEnd _sender;
    private readonly RawEnd _receiver;

    public RawPair(RawEnd sender, RawEnd receiver)
    {
        _sender = sender;
        _receiver = receiver;
        _sender.Connect(_receiver);
        _receiver.Connect(_sender);
    }

    public void Write(Workload workload, long operations)
    {
        var limit = new TurnLimit();
        long total = operations * workload.WritesPerOperation, posted = 0, began = _sender.Ended;
        var next = default(WritePlace);
        long ended = began + total, arrived = _receiver.Arrived + total;
        while (_sender.Ended < ended || _receiver.Arrived < arrived)
        {
            long most = Math.Min(total - posted, workload.Depth - (posted - (_sender.Ended - began)));
            if (most > 0)
                posted += _sender.Post(workload, ref next, most, most == total - posted);
            Turn(_sender, _receiver);
            limit.Count();
        }
    }

    public long OneWay(long bytes)
    {
        long ended = _sender.Ended + 1;
        long started = Stopwatch.GetTimestamp();
        Pass(_sender, _receiver, bytes);
        long ticks = Stopwatch.GetTimestamp() - started;
        Settle(_sender, ended);
        return ticks;
    }

    public long RoundTrip(long bytes)
    {
        long there = _sender.Ended + 1, back = _receiver.Ended + 1;
        long started = Stopwatch.GetTimestamp();
        Pass(_sender, _receiver, bytes);
        Pass(_receiver, _sender, bytes);
        long ticks = Stopwatch.GetTimestamp() - started;
        Settle(_sender, there);
        Settle(_receiver, back);
        return ticks;
    }

    public void Dispose()
    {
        _sender.Dispose();
        _receiver.Dispose();
    }

    private static void Pass(RawEnd from, RawEnd to, long bytes)
    {
        var limit = new TurnLimit();
        long arrived = to.Arrived + 1;
        while (!from.TryPost(PairMemory.LatencyOffset, PairMemory.LatencyOffset, bytes, more: false))
        {
            Turn(from, to);
            limit.Count();
        }

        // In the engines' order: the end that has posted, then the other one.
        while (to.Arrived < arrived)
        {
            Turn(from, to);
            limit.Count();
        }
    }

    private void Settle(RawEnd end, long ended)
    {
        var limit = new TurnLimit();
        while (end.Ended < ended)
        {
            Turn(_sender, _receiver);
            limit.Count();
        }
    }

    private static void Turn(RawEnd first, RawEnd second)
    {
        long before = first.Ended + first.Arrived + second.Ended + second.Arrived;
        first.Poll();
        second.Poll();
        if (first.WaitDescriptor >= 0 && first.Ended + first.Arrived + second.Ended + second.Arrived == before && first.TryArm() && second.TryArm())
            DescriptorRest.Wait(first.WaitDescriptor, second.WaitDescriptor);
    }
}
