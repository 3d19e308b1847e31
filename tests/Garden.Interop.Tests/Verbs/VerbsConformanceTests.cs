using Garden.Testing;

namespace Garden.Interop.Tests.Verbs;

public sealed class VerbsConformanceTests : FabricConformance
{
    protected override FabricHarness CreateHarness() => new VerbsHarness();
}

/// <summary>Everything as small as it goes, so that every queue and window runs full.</summary>
public sealed class TinyQueueVerbsConformanceTests : FabricConformance
{
    protected override FabricHarness CreateHarness() => new VerbsHarness(static options => options with
    {
        QueueDepth = 16,
        ImmediateWindow = 8,
        MessageWindow = 2,
        ChainLength = 3,
        SourcePieces = 1,
        InlineBytes = 0,
        RelaxedOrdering = true,
    });
}

public sealed class FourNicVerbsConformanceTests : FabricConformance
{
    protected override int Nics => 4;

    protected override FabricHarness CreateHarness() => new VerbsHarness();
}
