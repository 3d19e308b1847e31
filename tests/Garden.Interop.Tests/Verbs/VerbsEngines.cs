using Garden.Fabric;
using Garden.Interop.Tests.Libfabric;
using Garden.Interop.Verbs;

namespace Garden.Interop.Tests.Verbs;

/// <summary>Engines on verbs as these tests want them: an emulated device is slow, so every wait is patient.</summary>
internal static class VerbsEngines
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    /// <summary>A fabric whose device names follow each other from one engine to the next.</summary>
    public static CapturingFabric Create(ref int next, int nics = 1, Func<VerbsOptions, VerbsOptions>? configure = null)
    {
        VerbsOptions options = TestDevices.Options with { Devices = TestDevices.Take(ref next, nics) };
        return new CapturingFabric(new VerbsFabric(configure?.Invoke(options) ?? options));
    }

    /// <summary>Two connected engines.</summary>
    public static Task<FabricEngines> PairAsync(int senderNics = 1, int receiverNics = 1, Func<VerbsOptions, VerbsOptions>? configure = null, long bytes = 4 << 20)
    {
        int next = 0;
        return FabricEngines.CreateAsync(Create(ref next, senderNics, configure), Create(ref next, receiverNics, configure), Patient, bytes);
    }

    /// <summary>Heartbeats that outlast what an emulated device does to threads.</summary>
    public static void Patient(TransferEngineOptions options) => options.HeartbeatInterval = TimeSpan.FromSeconds(5);

    public static Task<TransferResult> EndAsync(Transfer transfer) => transfer.AsValueTask().AsTask().WaitAsync(Limit);

    public static Task<long> ReachAsync(ImmCounter counter, long units) => counter.WaitAsync(units, Limit).AsTask().WaitAsync(Limit + Limit);
}

/// <summary>Remembers the NICs it opened, so that a test can look at one or break it.</summary>
internal sealed class CapturingFabric(IFabric inner) : IFabric
{
    public string Name => inner.Name;

    public IReadOnlyList<VerbsDomain> Domains { get; private set; } = [];

    public IReadOnlyList<IFabricDomain> Open(FabricOpenContext context)
    {
        IReadOnlyList<IFabricDomain> domains = inner.Open(context);
        Domains = [.. domains.Cast<VerbsDomain>()];
        return domains;
    }
}
