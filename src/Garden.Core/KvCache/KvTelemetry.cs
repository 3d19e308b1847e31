using System.Diagnostics.Metrics;

namespace Garden.KvCache;

/// <summary>Instruments of the KV protocol on <see cref="GardenMetrics.Meter"/>.</summary>
internal static class KvTelemetry
{
    public static readonly Counter<long> Requests =
        GardenMetrics.Meter.CreateCounter<long>("garden.kv.requests", "{request}", "Requests by how they ended, on the decoder's side.");

    public static readonly Counter<long> Jobs =
        GardenMetrics.Meter.CreateCounter<long>("garden.kv.jobs", "{job}", "Jobs by how they ended, on the prefiller's side.");

    public static readonly Counter<long> LeakedPages =
        GardenMetrics.Meter.CreateCounter<long>("garden.kv.leaked_pages", "{page}", "Pages taken out of use because a drain could not be confirmed.");

    public static readonly Counter<long> IgnoredMessages =
        GardenMetrics.Meter.CreateCounter<long>("garden.kv.ignored_messages", "{message}", "Protocol messages that were late, repeated or not parsable.");

    public static readonly Histogram<double> RequestDuration =
        GardenMetrics.Meter.CreateHistogram<double>("garden.kv.request.duration", "s", "From the request to its last byte, on the decoder's side.");

    public static readonly Histogram<double> TailDuration =
        GardenMetrics.Meter.CreateHistogram<double>("garden.kv.added_ttft", "s", "From the last layer's compute to the last write's completion, on the prefiller's side: what streaming adds to the time to first token.");
}
