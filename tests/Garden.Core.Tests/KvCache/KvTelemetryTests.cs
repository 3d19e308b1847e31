using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Garden.KvCache;

namespace Garden.Core.Tests.KvCache;

public class KvTelemetryTests
{
    [Fact]
    public async Task A_request_is_one_trace_over_both_sides()
    {
        var stopped = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == GardenMetrics.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = stopped.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        // Other tests run beside this one: their spans have other parents.
        using Activity root = new Activity("test").Start();
        await using KvPair pair = await KvPair.CreateAsync();
        Task<KvDelivery> request = pair.Decoder.RequestAsync(pair.Peer, pair.Request(100));
        await pair.ServeAsync();
        await request.WaitAsync(KvPair.Limit);
        Activity decoder = stopped.Single(activity => activity.OperationName == "kv.request" && activity.TraceId == root.TraceId);
        Activity prefiller = stopped.Single(activity => activity.OperationName == "kv.prefill" && activity.TraceId == root.TraceId);
        Assert.Equal(decoder.SpanId, prefiller.ParentSpanId);
        Assert.Equal("delivered", decoder.GetTagItem("garden.kv.outcome"));
        Assert.Equal("finished", prefiller.GetTagItem("garden.kv.outcome"));
    }

    [Fact]
    public async Task T7_requests_jobs_and_the_added_time_are_measured()
    {
        var seen = new ConcurrentDictionary<string, byte>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, own) =>
            {
                if (instrument.Meter.Name == GardenMetrics.Name)
                    own.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, _, _, _) => seen.TryAdd(instrument.Name, 0));
        listener.SetMeasurementEventCallback<double>((instrument, _, _, _) => seen.TryAdd(instrument.Name, 0));
        listener.Start();
        await using KvPair pair = await KvPair.CreateAsync();
        Task<KvDelivery> request = pair.Decoder.RequestAsync(pair.Peer, pair.Request(100));
        await pair.ServeAsync();
        await request.WaitAsync(KvPair.Limit);
        Assert.Superset(
            new HashSet<string> { "garden.kv.requests", "garden.kv.jobs", "garden.kv.request.duration", "garden.kv.added_ttft" },
            seen.Keys.ToHashSet());
    }
}
