using Garden.Interop.Tests.Processes;

namespace Garden.Interop.Tests.Verbs;

public sealed class VerbsProcessTests(ITestOutputHelper output) : ProcessTests(output)
{
    protected override string Fabric => "verbs";

    protected override int DefaultKillPoints => 4;

    protected override TimeSpan LayerTime => TimeSpan.FromMilliseconds(400);

    protected override void RequireFabric() => TestDevices.Require();
}
