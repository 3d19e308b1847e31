using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Garden;

/// <summary>The meter and the activity source, both named <c>Garden</c>. The engine's instruments are observable: they cost nothing until a listener asks.</summary>
public static class GardenMetrics
{
    /// <summary>Name of the meter and of the activity source.</summary>
    public const string Name = "Garden";

    private static readonly Lock s_lock = new();
    private static readonly List<TransferEngine> s_engines = [];

    static GardenMetrics()
    {
        Observe("garden.nic.writes", "{write}", "Writes posted.", static nic => nic.Writes);
        Observe("garden.nic.bytes", "By", "Payload bytes posted.", static nic => nic.Bytes);
        Observe("garden.nic.immediates", "{immediate}", "Immediates received.", static nic => nic.Immediates);
        Observe("garden.nic.backpressure", "{post}", "Posts a NIC did not take whole.", static nic => nic.BackPressure);
        Observe("garden.nic.errors", "{write}", "Writes that ended badly.", static nic => nic.Errors);
        Observe("garden.nic.messages.sent", "{message}", "Messages sent.", static nic => nic.MessagesSent);
        Observe("garden.nic.messages.received", "{message}", "Messages received.", static nic => nic.MessagesReceived);
        Meter.CreateObservableUpDownCounter("garden.nic.in_flight", static () => Measure(static nic => nic.InFlight), "{write}", "Writes posted and not completed.");
        ObserveEngine("garden.transfers.completed", "{transfer}", "Transfers that ended well.", static engine => engine.TransfersCompleted);
        ObserveEngine("garden.transfers.failed", "{transfer}", "Transfers that ended badly.", static engine => engine.TransfersFailed);
        ObserveEngine("garden.immediates.stale", "{immediate}", "Immediates of a generation that is gone.", static engine => engine.StaleImmediates);
        ObserveEngine("garden.writes.leaked", "{write}", "Writes that did not drain in time.", static engine => engine.WritesLeaked);
        ObserveEngine("garden.messages.dropped", "{message}", "Messages nobody could take.", static engine => engine.MessagesDropped);
    }

    internal static Meter Meter { get; } = new(Name);

    internal static ActivitySource Activities { get; } = new(Name);

    internal static Registration Register(TransferEngine engine)
    {
        lock (s_lock)
            s_engines.Add(engine);
        return new Registration(engine);
    }

    private static void Observe(string name, string unit, string description, Func<NicStatistics, long> value) =>
        Meter.CreateObservableCounter(name, () => Measure(value), unit, description);

    private static void ObserveEngine(string name, string unit, string description, Func<EngineStatistics, long> value) =>
        Meter.CreateObservableCounter(
            name,
            () => Engines().Select(engine => new Measurement<long>(value(engine.GetStatistics()), new KeyValuePair<string, object?>("garden.engine", $"{engine.Id:x16}"))),
            unit,
            description);

    private static IEnumerable<Measurement<long>> Measure(Func<NicStatistics, long> value) =>
        from engine in Engines()
        from device in engine.Devices
        from nic in device.GetStatistics()
        select new Measurement<long>(
            value(nic),
            new KeyValuePair<string, object?>("garden.fabric", nic.Fabric),
            new KeyValuePair<string, object?>("garden.nic", nic.Nic));

    private static TransferEngine[] Engines()
    {
        lock (s_lock)
            return [.. s_engines];
    }

    internal sealed class Registration(TransferEngine engine) : IDisposable
    {
        public void Dispose()
        {
            lock (s_lock)
                s_engines.Remove(engine);
        }
    }
}
