using Garden.Fabric;
using Garden.Interop.Tests.Libfabric;
using Garden.Interop.Tests.Processes;

namespace Garden.Interop.Tests.Verbs;

[Collection(StormCollection.Name)]
public sealed class VerbsLifetimeTests : EngineLifetimeTests
{
    private int _next;

    protected override IFabric Create() => VerbsEngines.Create(ref _next);
}
