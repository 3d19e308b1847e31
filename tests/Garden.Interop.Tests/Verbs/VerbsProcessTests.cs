using Garden.Interop.Host;
using Garden.Interop.Tests.Processes;
using Garden.Interop.Verbs;

namespace Garden.Interop.Tests.Verbs;

/// <summary>Processes that are killed while they use a device.</summary>
public sealed class VerbsProcessTests(ITestOutputHelper output) : ProcessTests(output)
{
    protected override string Fabric => "verbs";

    protected override int DefaultKillPoints => 2;

    /// <summary>
    /// The next heartbeat is the first that a decoder sends to a dead prefiller, and the retry time later the device gives up. An emulated
    /// machine's pauses come on top; missing heartbeats would take two minutes.
    /// </summary>
    protected override TimeSpan Noticed => HostEngines.HeartbeatOf(Fabric) + new VerbsOptions().RetryTime + TimeSpan.FromSeconds(30);

    /// <summary>Where a process takes seconds to start.</summary>
    protected override TimeSpan KillWindow => TimeSpan.FromSeconds(3);

    protected override void RequireFabric() => TestDevices.Require();
}
