using Garden;
using Garden.Samples;

namespace Garden.Interop.Host;

/// <summary>Engines as the tests of processes want them.</summary>
public static class HostEngines
{
    /// <summary>A peer that is silent for three of these has failed. On verbs the device notices by itself, and an emulated one makes threads pause for long.</summary>
    public static TimeSpan HeartbeatOf(string fabric) => TimeSpan.FromMilliseconds(fabric == "verbs" ? 3000 : 400);

    /// <summary>An engine on tcp (127.0.0.1), shm or verbs (every active device).</summary>
    public static TransferEngine Build(string fabric)
    {
        TransferEngineBuilder builder = TransferEngine.CreateBuilder().Configure(options =>
        {
            options.HeartbeatInterval = HeartbeatOf(fabric);
            // Several processes share two cores.
            options.WaitStrategy = WaitStrategy.Economic;
        });
        builder = fabric switch
        {
            "shm" => builder.UseShm(),
            "verbs" => builder.UseVerbs(),
            _ => builder.UseTcp("127.0.0.1"),
        };
        return builder.Build();
    }
}
