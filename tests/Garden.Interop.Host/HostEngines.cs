using Garden.Interop.Verbs;

namespace Garden.Interop.Host;

/// <summary>Engines as the tests of processes want them.</summary>
public static class HostEngines
{
    /// <summary>
    /// A peer hears so often from an engine, and one that is silent for <see cref="MissedOf"/> of them has failed. On verbs the device tells
    /// by itself when what was sent is not acknowledged; an emulated one makes threads pause for long.
    /// </summary>
    public static TimeSpan HeartbeatOf(string fabric) => TimeSpan.FromMilliseconds(fabric == "verbs" ? 2000 : 400);

    /// <summary>On verbs so many that a killed peer can only have been noticed by the device.</summary>
    public static int MissedOf(string fabric) => fabric == "verbs" ? 60 : 3;

    /// <summary>An engine on tcp (127.0.0.1), shm or verbs (the first active device).</summary>
    public static TransferEngine Build(string fabric)
    {
        TransferEngineBuilder builder = TransferEngine.CreateBuilder().Configure(options =>
        {
            options.HeartbeatInterval = HeartbeatOf(fabric);
            options.MissedHeartbeats = MissedOf(fabric);
            // Several processes share two cores.
            options.WaitStrategy = WaitStrategy.Economic;
        });
        builder = fabric switch
        {
            "shm" => builder.UseShm(),
            "verbs" => builder.UseVerbs(new VerbsOptions { Devices = [$"{VerbsDevices.Active()[0]}"], MaxPeers = 16, ConnectTimeout = TimeSpan.FromSeconds(20) }),
            _ => builder.UseTcp("127.0.0.1"),
        };
        return builder.Build();
    }
}
