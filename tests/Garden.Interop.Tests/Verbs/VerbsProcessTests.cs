using Garden.Interop.Tests.Processes;

namespace Garden.Interop.Tests.Verbs;

/// <summary>Processes that are killed while they use a device. An emulated one makes them miss the deadlines these tests have, so they run by command.</summary>
public sealed class VerbsProcessTests(ITestOutputHelper output) : ProcessTests(output)
{
    private const string Variable = "GARDEN_VERBS_PROCESSES";

    protected override string Fabric => "verbs";

    protected override int DefaultKillPoints => 4;

    protected override TimeSpan LayerTime => TimeSpan.FromMilliseconds(400);

    protected override void RequireFabric()
    {
        TestDevices.Require();
        if (Environment.GetEnvironmentVariable(Variable) != "1")
            Assert.Skip($"Where a process takes seconds to start, the KV handshake's 5 s run out; on a host with a device, set {Variable}=1.");
    }
}
